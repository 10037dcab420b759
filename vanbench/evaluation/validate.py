"""Validation: a set of images, some models, one pass, integer counts."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch

from vanbench.data.inspect import DataReport, inspect, refuse_broken
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.data.pixel_cache import PixelCache, open_pixel_cache
from vanbench.data.summary import DataSummary
from vanbench.devices import (
    available_cores,
    choose_device,
    cpu_threads,
    current_device,
    idle_gpus_note,
)
from vanbench.distributed import Processes
from vanbench.environment import today
from vanbench.errors import (
    ProcessError,
    VanbenchError,
    unexpected_as_errors,
)
from vanbench.evaluation.collect import Collected, batches_left
from vanbench.evaluation.estimate import note_estimate
from vanbench.evaluation.groups import prepare_groups
from vanbench.evaluation.plan import STOP, AnyCandidate, Candidate, RunOptions, spread
from vanbench.evaluation.precision import check_precision, check_runtime, emulation_note
from vanbench.evaluation.ready import ReadyModel, resolve
from vanbench.evaluation.result import RealScore, ValidationResult
from vanbench.evaluation.resume import StoredRuns, Work
from vanbench.evaluation.run_key import (
    masked_rule,
    numerics_of,
    run_key,
    validation_environment,
)
from vanbench.evaluation.sharing import Computation, assist, end, refuse_differences
from vanbench.evaluation.time_spent import hint
from vanbench.interrupts import keeping
from vanbench.prediction_store.store import RunKey, Store
from vanbench.progress import (
    Progress,
    guarded,
    guarded_progress,
    raising_callers_errors,
    silent,
)
from vanbench.report.records import ValidationEnvironment
from vanbench.zoo.entries import EvaluationProtocol

STORED_BEFORE = "Predictions that were stored before are kept. The same command continues."


def validate_candidates(
    candidates: Sequence[AnyCandidate], data: Path, options: RunOptions, progress: Progress = silent
) -> tuple[dict[str, ValidationResult], dict[str, VanbenchError]]:
    """The pass each checkpoint took part in, by name, and why the others took part in none.

    Checkpoints of one protocol share one pass over the images. What ``progress`` and the listeners
    of ``options`` raise is no failure of a model: it ends the run.
    """
    options = replace(
        options, on_note=guarded(options.on_note), on_message=guarded(options.on_message)
    )
    threads = cpu_threads(_threads(options.team.here))
    with keeping(lambda: STORED_BEFORE), raising_callers_errors(), threads:
        return _validate_candidates(candidates, data, options, guarded_progress(progress))


def _threads(here: Processes) -> int | None:
    """The CPU threads of each of several processes on a machine; None leaves torch's own number."""
    return None if here.local_size == 1 else max(1, available_cores() // here.local_size)


def _validate_candidates(
    candidates: Sequence[AnyCandidate], data: Path, options: RunOptions, progress: Progress
) -> tuple[dict[str, ValidationResult], dict[str, VanbenchError]]:
    team = options.team
    try:
        with unexpected_as_errors():
            device = team.agree(lambda: choose_device(options.device, team.here))
            check_precision(device, options.precision)
            check_runtime(device, options)
            if note := emulation_note(device, options):
                options.on_note(note)
            if options.arguments and (note := idle_gpus_note(device, options.arguments, team.here)):
                options.on_note(note)
            if any(isinstance(one, Candidate) and one.rewritable for one in candidates):
                options = resolve(options, device)
    except VanbenchError as error:
        return {}, {candidate.name: error for candidate in candidates}
    with current_device(device):
        return _validate_on(device, candidates, data, options, progress)


def _validate_on(
    device: torch.device,
    candidates: Sequence[AnyCandidate],
    data: Path,
    options: RunOptions,
    progress: Progress,
) -> tuple[dict[str, ValidationResult], dict[str, VanbenchError]]:
    passes: dict[str, ValidationResult] = {}
    groups, errors = prepare_groups(candidates, data, device, options, progress)
    for images, protocol, models in groups:
        try:
            with unexpected_as_errors():
                started = _start(models, images, protocol, device, options, progress)
                if options.team.here.is_first:
                    result = _measure(started, progress)
                else:
                    assist(started.computation)
                    continue
        except VanbenchError as error:
            errors |= dict.fromkeys(models, error)
        else:
            passes |= dict.fromkeys(result.tallies, result)
            errors |= result.failures
    if not options.team.here.is_first:
        _raise_lost_process(errors)
    return passes, errors


def _raise_lost_process(errors: Mapping[str, VanbenchError]) -> None:
    """End this process, too, if another one has ended: nobody else tells what happened here."""
    for error in errors.values():
        if isinstance(error, ProcessError):
            raise error


def validate(
    models: Mapping[str, ReadyModel],
    data: Path,
    protocol: EvaluationProtocol,
    options: RunOptions,
    progress: Progress = silent,
) -> ValidationResult:
    """Run all ``models``, on the run's device, over the set at ``data``; decode each image once.

    What is stored already is not computed again, and the counts come from what is stored. Raises
    DataError when the set cannot be used. A model that raises an exception, or whose logits are not
    finite, becomes a failure; the others go on.
    """
    device = choose_device(options.device)
    images = open_images(data, protocol.class_ids)
    return _measure(_start(models, images, protocol, device, options, progress), progress)


@dataclass(frozen=True)
class _Started:
    """A pass whose images and models are known and were checked, before any prediction."""

    models: Mapping[str, ReadyModel]
    computation: Computation
    indices: Sequence[int]
    report: DataReport
    environment: ValidationEnvironment
    keys: Mapping[str, RunKey]


def _start(
    models: Mapping[str, ReadyModel],
    images: ImageSet,
    protocol: EvaluationProtocol,
    device: torch.device,
    options: RunOptions,
    progress: Progress,
) -> _Started:
    """Check the images, once per node; make sure that all processes do the same."""

    def start() -> _Started:
        indices = spread(len(images), options.limit)
        report = options.team.on_each_node(
            lambda: _inspect(images, indices, protocol, options, progress)
        )
        about = validation_environment(device)
        keys = {
            name: run_key(
                m.sha256,
                m.weights,
                m.layer_norm_eps,
                protocol,
                numerics_of(device, options.precision, m.chosen),
                about,
                chosen_among=masked_rule(images),
            )
            for name, m in models.items()
        }
        modules = {name: ready.model for name, ready in models.items()}
        computation = Computation(
            modules,
            images,
            protocol,
            report.content,
            device,
            options,
            _open_cache(report, protocol, about, options),
        )
        return _Started(models, computation, indices, report, about, keys)

    started = options.team.agree(start)
    refuse_differences(started.computation, started.keys)
    return started


def _measure(started: _Started, progress: Progress) -> ValidationResult:
    """Predict what is not stored yet, with the other processes if there are any; count."""
    computation, indices = started.computation, started.indices
    images, options, team = computation.images, computation.options, computation.options.team
    try:
        with Store(options.store) as store:
            runs = StoredRuns(store, images, started.report, indices, started.keys, today())
            if options.fresh:
                runs.forget()
            collected = Collected(runs, list(started.models), team.here.size, options.on_note)
            state = collected.read()
            work = runs.work(state)
            _announce(computation, work)
            note_estimate(
                computation.models,
                images,
                computation.protocol,
                len(indices),
                work,
                computation.device,
                options,
                content=computation.content,
                cache=computation.cache,
            )
            start = perf_counter()
            batches = batches_left(collected, state, computation)
            kept = keeping(lambda: collected.kept(options))
            with kept, progress("validating", "images") as update, closing(batches):
                update(collected.done, len(indices))
                for rank, batch in batches:
                    collected.add(rank, batch)
                    update(collected.done, len(indices), note=collected.note())
            seconds = perf_counter() - start
            data = started.report.summary(
                total=len(images),
                unreadable={images.names[index]: why for index, why in runs.unreadable.items()},
            )
            real = _real_score(started, runs, collected.tallies, data)
    finally:
        end(computation)
    return ValidationResult(
        tallies=collected.tallies,
        failures=collected.failures,
        protocol=computation.protocol,
        data=data,
        real=real,
        numerics_by_model={
            name: numerics_of(computation.device, options.precision, model.chosen)
            for name, model in started.models.items()
        },
        environment=started.environment,
        seconds=seconds,
        times=tuple(collected.times),
        batch_sizes=collected.batch_sizes(computation),
        computed=collected.computed,
        cache=None if computation.cache is None else collected.cache,
        weights={name: model.weights for name, model in started.models.items()},
        sha256={name: model.sha256 for name, model in started.models.items()},
        hint=hint(collected.times, seconds, computation.device, options),
        keys=started.keys,
        labelled=runs.labelled(),
        choices=collected.choices,
        forward=collected.forward,
    )


def _real_score(
    started: _Started, runs: StoredRuns, names: Iterable[str], data: DataSummary
) -> RealScore | None:
    """The same predictions counted by the labels of ReaL, if these are there for any image."""
    real = started.report.real
    labels = real.among(started.indices) if real else {}
    if real is None or not labels:
        return None
    return RealScore(
        real.summary(data, started.computation.images, len(labels)),
        {name: runs.tally_of(name, labels) for name in names},
    )


def _inspect(
    images: ImageSet,
    indices: Sequence[int],
    protocol: EvaluationProtocol,
    options: RunOptions,
    progress: Progress,
) -> DataReport:
    """What is checked before any model runs; DataError if a broken image has to stop the run."""
    with progress("checking images", "images") as update:
        report = inspect(images, indices=indices, protocol=protocol, progress=update)
    if options.on_error == STOP:
        refuse_broken(report)
    return report


def _open_cache(
    report: DataReport,
    protocol: EvaluationProtocol,
    about: ValidationEnvironment,
    options: RunOptions,
) -> PixelCache | None:
    """The cache of decoded images, if the run uses one."""
    if options.cache_images is None:
        return None
    images = report.content.values()
    return open_pixel_cache(options.cache_images, images, protocol, about.decoder, options.on_note)


def _announce(computation: Computation, works: Sequence[Work]) -> None:
    """Say what is going to be written to the cache of decoded images."""
    if computation.cache is not None:
        content = computation.content
        images = [content[i] for work in works for i in work.indices if i in content]
        computation.cache.announce(images, computation.options.on_note)
