"""Validation: a set of images, some models, one pass, integer counts."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from vanbench.checkpoints.weights import PLAIN
from vanbench.data.decoder_check import check_decoder
from vanbench.data.inspect import DataReport, inspect, refuse_broken
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.devices import choose_device
from vanbench.environment import environment, today
from vanbench.errors import RecordError, ScoringError, VanbenchError, unexpected_as_errors
from vanbench.evaluation.estimate import note_estimate
from vanbench.evaluation.plan import STOP, Candidate, RunOptions, spread
from vanbench.evaluation.predict import BatchPredictions, predict
from vanbench.evaluation.result import ValidationResult
from vanbench.evaluation.resume import State, StoredRuns
from vanbench.evaluation.run_key import numerics_of, run_key
from vanbench.inference.autotune import resolve_config
from vanbench.inference.optimized import compiled, optimize
from vanbench.interrupts import keeping
from vanbench.model.architecture import Architecture
from vanbench.model.van import VAN
from vanbench.outside.safe_text import for_terminal
from vanbench.prediction_store.prediction import Tally
from vanbench.prediction_store.store import Store
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
MOST_ROUNDS = 5  # how often predictions that another process deleted are computed again


@dataclass(frozen=True)
class ReadyModel:
    """A model that is ready to compute, and what else decides its predictions."""

    model: nn.Module = field(repr=False)
    sha256: str
    layer_norm_eps: float
    weights: str = PLAIN


def validate_candidates(
    candidates: Sequence[Candidate], data: Path, options: RunOptions, progress: Progress = silent
) -> tuple[dict[str, ValidationResult], dict[str, VanbenchError]]:
    """The pass each checkpoint took part in, by name, and why the others took part in none.

    Checkpoints of one protocol share one pass over the images. What ``progress`` and the listeners
    of ``options`` raise is no failure of a model: it ends the run.
    """
    options = replace(
        options, on_note=guarded(options.on_note), on_message=guarded(options.on_message)
    )
    with keeping(lambda: STORED_BEFORE), raising_callers_errors():
        return _validate_candidates(candidates, data, options, guarded_progress(progress))


def _validate_candidates(
    candidates: Sequence[Candidate], data: Path, options: RunOptions, progress: Progress
) -> tuple[dict[str, ValidationResult], dict[str, VanbenchError]]:
    device = choose_device(options.device)
    passes: dict[str, ValidationResult] = {}
    errors: dict[str, VanbenchError] = {}
    groups: dict[EvaluationProtocol, dict[str, ReadyModel]] = {}
    try:
        with unexpected_as_errors():
            options = resolve(options, device)
    except VanbenchError as error:
        return {}, {candidate.name: error for candidate in candidates}
    with progress("preparing models", "models") as update:
        for number, candidate in enumerate(candidates):
            update(number, len(candidates), candidate.name)
            try:
                with unexpected_as_errors():
                    ready = _prepare(candidate, device, options)
                    groups.setdefault(candidate.protocol, {})[candidate.name] = ready
            except VanbenchError as error:
                errors[candidate.name] = error
    for protocol, models in groups.items():
        try:
            with unexpected_as_errors():
                result = validate(models, data, protocol, options, progress)
        except VanbenchError as error:
            errors |= dict.fromkeys(models, error)
        else:
            passes |= dict.fromkeys(result.tallies, result)
            errors |= result.failures
    return passes, errors


def refuse_head(architecture: Architecture, protocol: EvaluationProtocol) -> None:
    """ScoringError if such a model cannot be scored over the protocol's classes."""
    wanted, found = len(protocol.class_ids), architecture.num_classes
    if found != wanted:
        head = f"a head of {found} classes" if found else "no classification head"
        raise ScoringError(
            f"expected a head of {wanted} classes for Top-1/Top-5, found {head}",
            remedy="Pre-trained backbones are for fine-tuning and cannot be validated as they are.",
        )


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
    indices = spread(len(images), options.limit)
    report = _inspect(images, indices, protocol, options, progress)
    about = ValidationEnvironment(**asdict(environment(device)), decoder=check_decoder())
    computing = numerics_of(device, options)
    keys = {
        name: run_key(m.sha256, m.weights, m.layer_norm_eps, protocol, computing, about)
        for name, m in models.items()
    }
    with Store(options.store) as store:
        runs = StoredRuns(store, images, report, indices, keys, today())
        if options.fresh:
            runs.forget()
        collected = _Collected(runs, list(models))
        state = collected.read()
        modules = {name: ready.model for name, ready in models.items()}
        work = runs.work(state)
        note_estimate(modules, images, protocol, len(indices), work, device, options)
        start = perf_counter()
        batches = _batches(collected, state, modules, protocol, report.content, device, options)
        kept = keeping(lambda: collected.kept(options))
        with kept, progress("validating", "images") as update, closing(batches):
            update(collected.done, len(indices))
            for batch in batches:
                collected.add(batch)
                update(collected.done, len(indices), note=collected.note())
        seconds = perf_counter() - start
    return ValidationResult(
        tallies=collected.tallies,
        failures=collected.failures,
        protocol=protocol,
        data=report.summary(
            total=len(images),
            unreadable={images.names[index]: reason for index, reason in runs.unreadable.items()},
        ),
        numerics=computing,
        environment=about,
        seconds=seconds,
        waited=collected.waited,
        computed=collected.computed,
        weights={name: model.weights for name, model in models.items()},
        sha256={name: model.sha256 for name, model in models.items()},
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


def resolve(options: RunOptions, device: torch.device) -> RunOptions:
    """The options with the rewrite's config decided: the given one, or a short trial's."""
    if options.reference:
        return options
    config = resolve_config(
        options.rewrite, device, options.precision, options.compile, options.on_message
    )
    return replace(options, rewrite=config)


def prepare(model: VAN, device: torch.device, options: RunOptions) -> nn.Module:
    """The module that computes: the exact rewrite for inference, or the reference itself."""
    model = model.to(device)
    if options.reference:
        return model
    return (compiled if options.compile else optimize)(model, config=options.rewrite)


def _prepare(candidate: Candidate, device: torch.device, options: RunOptions) -> ReadyModel:
    """The candidate's model ready to compute.

    Nothing refers to its checkpoint afterwards, so that each model is held once.
    """
    checkpoint = candidate.open()
    refuse_head(checkpoint.architecture, candidate.protocol)
    checkpoint.warn()
    if checkpoint.choice:
        options.on_note(f"{checkpoint.path.name}: {checkpoint.choice}.")
    model = prepare(checkpoint.model, device, options)
    return ReadyModel(model, checkpoint.sha256, checkpoint.layer_norm_eps, checkpoint.weights)


def _batches(
    collected: "_Collected",
    state: State,
    models: Mapping[str, nn.Module],
    protocol: EvaluationProtocol,
    content: Mapping[int, str],
    device: torch.device,
    options: RunOptions,
) -> Generator[BatchPredictions, None, None]:
    """The predictions that are not stored yet, until all are stored.

    ``state`` is what is stored at the start. What another process deletes in the meantime is
    computed again.
    """
    for _ in range(MOST_ROUNDS):
        if state.complete:
            return
        for work in collected.runs.work(state):
            chosen = {name: models[name] for name in work.models if name in collected.tallies}
            images = collected.runs.images
            yield from predict(
                chosen, images, protocol, work.indices, device, options, content=content
            )
        state = collected.read()
    if not state.complete:
        raise RecordError(
            "predictions disappear while they are computed",
            where=options.store,
            remedy="Another process deletes them. Run the command again when it has ended.",
        )


class _Collected:
    """Running tallies and failures as the batches come; every batch is stored."""

    def __init__(self, runs: StoredRuns, names: Sequence[str]):
        self.runs = runs
        self.tallies = {name: Tally() for name in names}
        self.failures: dict[str, VanbenchError] = {}
        self.waited, self.computed, self.done = 0.0, 0, 0

    def read(self) -> State:
        """What is stored now; the tallies are those of it."""
        state = self.runs.state(self.tallies)
        self.tallies = dict(state.tallies)
        missing = set().union(*map(set, state.missing.values()))
        self.done = len(self.runs.indices) - len(missing)
        return state

    def add(self, batch: BatchPredictions) -> None:
        self.done += len(batch.indices)
        self.computed += len(batch.indices)
        self.waited += batch.waited
        for name, error in batch.failures.items():
            self.failures[name] = error
            self.tallies.pop(name, None)
        readable = torch.tensor([i not in batch.unreadable for i in batch.indices], device="cpu")
        for name in [name for name in batch.top if name in self.tallies]:
            finite = batch.logits[name].isfinite().all(dim=1)
            if bool((readable & ~finite).any()):
                bad = batch.indices[int((readable & ~finite).nonzero()[0])]
                image = self.runs.images.names[bad]
                shown = for_terminal(image, most=200)
                self.failures[name] = ScoringError(f"logits are not finite for image {shown}")
                del self.tallies[name]
        names = [name for name in batch.top if name in self.tallies]
        for name, tally in self.runs.add(batch, names).items():
            self.tallies[name] += tally

    def kept(self, options: RunOptions) -> str:
        """What an interruption leaves, and how to go on."""
        stored = {name: t.images - len(self.runs.unreadable) for name, t in self.tallies.items()}
        if options.store is None or not any(stored.values()):
            return "No predictions are kept. The same command starts from the beginning."
        count = sum(stored.values())
        of = ", ".join(stored) if len(stored) < 3 else f"{len(stored)} models"
        again = "Without --fresh, the same command" if options.fresh else "The same command"
        return f"{count:,} predictions of {of} are kept in {options.store}. {again} continues."

    def note(self) -> str:
        """Running Top-1 of each model."""
        return "  ".join(
            f"{name.split('.')[0]} {tally.top1:.2f}"
            for name, tally in self.tallies.items()
            if tally.images
        )
