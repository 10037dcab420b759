"""Validation: a set of images, some models, one pass, integer counts with their provenance."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from vanbench.checkpoints.load import architecture_of, load_model
from vanbench.data.decoder_check import check_decoder
from vanbench.data.inspect import DataReport, inspect, refuse_broken
from vanbench.data.open import open_images
from vanbench.download.obtain import Progress, silent
from vanbench.environment import environment, today
from vanbench.errors import CheckpointError, DataError, VanbenchError
from vanbench.evaluation.predict import (
    Predictions,
    Tally,
    choose_device,
    default_batch_size,
    default_workers,
    predict,
)
from vanbench.evaluation.result import Validated
from vanbench.evaluation.resume import Ledger
from vanbench.inference.autotune import settle_choices
from vanbench.inference.optimized import Choices, compiled, optimize
from vanbench.model.van import VAN
from vanbench.prediction_store.store import RunKey, Store
from vanbench.zoo.reader import Protocol


@dataclass(frozen=True)
class Run:
    """How a validation runs; None means what suits the device.

    ``store`` is the database in which predictions are kept as they are made, and from which a pass
    that was cut off goes on; None keeps them in memory. ``fresh`` computes all of them again.
    ``choices`` None lets a short trial decide how the rewrite runs; ``say`` is told its outcome.
    """

    device: str = "auto"
    precision: str = "fp32"
    batch_size: int | None = None
    workers: int | None = None
    limit: int | None = None
    on_error: str = "stop"
    reference: bool = False
    store: Path | None = None
    fresh: bool = False
    choices: Choices | None = None
    compile: bool = False
    say: Callable[[str], None] = field(default=lambda message: None, repr=False, compare=False)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint file to validate; ``layer_norm_eps`` None means the one of its naming."""

    name: str
    path: Path
    protocol: Protocol
    layer_norm_eps: float | None = None


@dataclass(frozen=True)
class Contender:
    """A model ready to compute, and what of its identity the module does not tell."""

    model: nn.Module = field(repr=False)
    checkpoint: str
    layer_norm_eps: float | None = None


def validate_files(
    candidates: Sequence[Candidate], data: Path, run: Run, progress: Progress = silent
) -> tuple[dict[str, Validated], dict[str, VanbenchError]]:
    """The pass each file took part in, by name, and why the others took part in none.

    Files of one protocol share one pass over the images.
    """
    device = choose_device(run.device)
    run = settle(run, device)
    passes: dict[str, Validated] = {}
    errors: dict[str, VanbenchError] = {}
    groups: dict[Protocol, dict[str, Contender]] = {}
    for candidate in candidates:
        try:
            model = load_model(candidate.path, layer_norm_eps=candidate.layer_norm_eps)
            refuse_head(model, candidate.protocol)
        except CheckpointError as error:
            errors[candidate.name] = error
        else:  # one at a time, so that no more than one model is held in two forms
            ready = prepare(model, device, run)
            contender = Contender(ready, _sha256(candidate.path), candidate.layer_norm_eps)
            groups.setdefault(candidate.protocol, {})[candidate.name] = contender
    for protocol, models in groups.items():
        try:
            validated = validate(models, data, protocol, run, progress)
        except DataError as error:
            errors |= dict.fromkeys(models, error)
        else:
            passes |= dict.fromkeys(validated.tallies, validated)
            errors |= {name: CheckpointError(why) for name, why in validated.failures.items()}
    return passes, errors


def refuse_head(model: VAN, protocol: Protocol) -> None:
    """CheckpointError if the model cannot be scored over the protocol's classes."""
    wanted, found = len(protocol.class_ids), architecture_of(model).num_classes
    if found != wanted:
        head = f"a head of {found} classes" if found else "no classification head"
        raise CheckpointError(
            f"The file has {head}; Top-1/Top-5 over {wanted} classes need one of {wanted}. "
            "Pre-trained backbones are for fine-tuning and cannot be validated as they are."
        )


def validate(
    models: Mapping[str, Contender],
    data: Path,
    protocol: Protocol,
    run: Run,
    progress: Progress = silent,
) -> Validated:
    """Run all ``models``, on the run's device, over the set at ``data``; decode each image once.

    What the run's store already has is not computed again, and the counts come from the store.
    Raises DataError when the set cannot be used. A model whose logits are not finite becomes a
    failure; the others go on.
    """
    device = choose_device(run.device)
    images = open_images(data, protocol.class_ids)
    indices = spread(len(images), run.limit)
    with progress("checking images", "images") as update:
        report = inspect(images, indices=indices, progress=update)
    if run.on_error == "stop":
        refuse_broken(report)
    about = environment(device) | {"decoder": check_decoder().as_dict()}
    keys = {name: _key(model, protocol, device, run, about) for name, model in models.items()}
    with Store(run.store) as store:
        ledger = Ledger(store, images, report, indices, keys, today())
        if run.fresh:
            ledger.forget()
        collected = _Collected(ledger, list(models))
        start = perf_counter()
        with progress("validating", "images") as update:
            for batch in _batches(models, ledger, protocol, device, run):
                collected.add(batch)
                update(collected.done, len(indices), note=collected.note())
        seconds = perf_counter() - start
        tallies = collected.finished()
    return Validated(
        tallies=tallies,
        failures=collected.failures,
        protocol=protocol,
        data=_about(report, len(images), ledger),
        numerics=_numerics(device, run) | _form(run),
        environment=about,
        seconds=seconds,
        waited=collected.waited,
        computed=collected.computed,
        partial=len(indices) < len(images),
    )


def _batches(
    models: Mapping[str, Contender],
    ledger: Ledger,
    protocol: Protocol,
    device: torch.device,
    run: Run,
) -> Iterator[Predictions]:
    """The predictions that are not stored yet."""
    for work in ledger.work():
        yield from predict(
            {name: models[name].model for name in work.models},
            ledger.images,
            protocol,
            indices=work.indices,
            batch_size=run.batch_size or default_batch_size(device),
            workers=default_workers(device) if run.workers is None else run.workers,
            device=device,
            precision=run.precision,
            on_error=run.on_error,
        )


# What can move a logit, of what is known of the machine.
_DECISIVE = ("vanbench", "torch", "pillow", "cpu", "gpu", "cuda", "decoder")


def _key(
    model: Contender, protocol: Protocol, device: torch.device, run: Run, about: dict
) -> RunKey:
    """What decides this model's predictions."""
    numerics = _numerics(device, run) | {name: about[name] for name in _DECISIVE}
    return RunKey(
        model.checkpoint, protocol.as_dict(), numerics | {"layer_norm_eps": model.layer_norm_eps}
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _about(report: DataReport, total: int, ledger: Ledger) -> dict:
    """The set for the record: without the folder of this machine."""
    about = {key: value for key, value in report.as_dict().items() if key != "path"}
    names = ledger.images.names
    unreadable = {names[index]: reason for index, reason in ledger.unreadable.items()}
    return about | {"used": report.images, "total": total, "unreadable": unreadable}


def settle(run: Run, device: torch.device) -> Run:
    """The run with the choices of its rewrite made: those given, or a short trial's."""
    if run.reference:
        return run
    choices = settle_choices(run.choices, device, run.precision, run.compile, run.say)
    return replace(run, choices=choices)


def prepare(model: VAN, device: torch.device, run: Run) -> nn.Module:
    """The module that computes: the exact rewrite for inference, or the reference itself."""
    model = model.to(device)
    if run.reference:
        return model
    return (compiled if run.compile else optimize)(model, choices=run.choices)


def spread(total: int, limit: int | None) -> list[int]:
    """Indices of all images, or of ``limit`` of them spread evenly over the set.

    >>> spread(10, 3)
    [0, 3, 6]
    """
    if limit is None or limit >= total:
        return list(range(total))
    return [i * total // limit for i in range(limit)]


class _Collected:
    """Running tallies and failures as the batches come; every batch goes into the ledger."""

    def __init__(self, ledger: Ledger, names: list[str]):
        self.ledger = ledger
        self.tallies = {name: ledger.tally(name, whole=False) for name in names}
        self.failures: dict[str, str] = {}
        self.waited, self.computed = 0.0, 0
        self.done = len(ledger.indices) - sum(len(work.indices) for work in ledger.work())

    def add(self, batch: Predictions) -> None:
        images = self.ledger.images
        labels = torch.tensor([images.labels[i] for i in batch.indices])
        self.done += len(batch.indices)
        self.computed += len(batch.indices)
        self.waited += batch.waited
        readable = torch.tensor([i not in batch.unreadable for i in batch.indices])
        for name in [name for name in batch.top if name in self.tallies]:
            finite = batch.logits[name].isfinite().all(dim=1)
            if bool((readable & ~finite).any()):
                bad = batch.indices[int((readable & ~finite).nonzero()[0])]
                self.failures[name] = f"logits are not finite for image {images.names[bad]}"
                del self.tallies[name]
            else:
                self.tallies[name].add(batch.indices, labels, batch.top[name])
        self.ledger.add(batch, [name for name in batch.top if name in self.tallies])

    def note(self) -> str:
        """Running Top-1 of each model."""
        return "  ".join(
            f"{name.split('.')[0]} {100 * tally.correct1 / tally.images:.2f}"
            for name, tally in self.tallies.items()
            if tally.images
        )

    def finished(self) -> dict[str, Tally]:
        """The counts from what is stored, each image once."""
        tallies = {name: self.ledger.tally(name) for name in self.tallies}
        assert tallies == self.tallies, "the stored predictions are not those that were made"
        return tallies


def _numerics(device: torch.device, run: Run) -> dict[str, Any]:
    return {
        "precision": run.precision,
        "tf32": run.precision == "tf32",
        "device": device.type,
        "model": "reference" if run.reference else "optimized",
    }


def _form(run: Run) -> dict[str, Any]:
    """How the rewrite ran, for the record; no verdict depends on it, nor any stored prediction."""
    return {"choices": run.choices and run.choices.as_dict(), "compile": run.compile}
