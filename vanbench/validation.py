"""Validation: a set of images, some models, one pass, integer counts with their provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from vanbench.environment import environment
from vanbench.errors import CheckpointError, DataError, VanbenchError
from vanbench.evaluate import (
    Predictions,
    Tally,
    choose_device,
    default_batch_size,
    default_workers,
    predict,
)
from vanbench.imagenet import ImageSet, open_images
from vanbench.load import architecture_of, load_model
from vanbench.obtain import Progress, silent
from vanbench.preflight import DataReport, inspect
from vanbench.statistics import wilson_interval
from vanbench.van import VAN
from vanbench.zoo import Protocol


@dataclass(frozen=True)
class Run:
    """How a validation runs; None means what suits the device."""

    device: str = "auto"
    precision: str = "fp32"
    batch_size: int | None = None
    workers: int | None = None
    limit: int | None = None
    on_error: str = "stop"
    reference: bool = False


@dataclass(frozen=True)
class Validated:
    """What one pass found: a tally or a reason for every model, and what it was measured on.

    ``seconds`` is the wall time of the pass, ``waited`` the part of it in which the models waited
    for images; ``partial`` says that not all images of the set were used.
    """

    tallies: dict[str, Tally]
    failures: dict[str, str]
    protocol: Protocol
    data: dict
    numerics: dict
    environment: dict
    seconds: float
    waited: float
    partial: bool

    @property
    def images_per_s(self) -> float:
        """Images per second of the whole pass, through all its models."""
        return self.data["used"] / self.seconds

    def about_data(self) -> dict:
        """The set and the protocol, for people and JSON."""
        return self.data | {"protocol": self.protocol.as_dict(), "partial": self.partial}

    def describe(self) -> str:
        """Two lines for people: the set with its protocol, and where the time went."""
        used, total = self.data["used"], self.data["images"]
        part = f"{used:,} of {total:,} images (partial)" if self.partial else f"{used:,} images"
        waiting = 100 * self.waited / self.seconds
        hint = " More --workers would help." if waiting > 20 else ""
        return (
            f"{part}, {self.data['layout']}, {self.data['verdict']}; {self.protocol.describe()}.\n"
            f"{self.images_per_s:.1f} images/s on {self.environment['device']}, "
            f"{self.numerics['precision']}, {self.numerics['model']} model; "
            f"{waiting:.0f} % of the time was waiting for images.{hint}"
        )

    def as_json(self, name: str) -> dict:
        """The form of ``validate --json`` for one model; ``ci95`` is Top-1's."""
        tally = self.tallies[name]
        return {
            "name": name,
            "images": tally.images,
            "correct1": tally.correct1,
            "correct5": tally.correct5,
            "top1": 100 * tally.correct1 / tally.images,
            "top5": 100 * tally.correct5 / tally.images,
            "ci95": list(wilson_interval(tally.correct1, tally.images)),
            "ci95_top5": list(wilson_interval(tally.correct5, tally.images)),
            "images_per_s": self.images_per_s,
            "partial": self.partial,
        }


@dataclass(frozen=True)
class Candidate:
    """A checkpoint file to validate; ``layer_norm_eps`` None means the one of its naming."""

    name: str
    path: Path
    protocol: Protocol
    layer_norm_eps: float | None = None


def validate_files(
    candidates: Sequence[Candidate], data: Path, run: Run, progress: Progress = silent
) -> tuple[dict[str, Validated], dict[str, VanbenchError]]:
    """The pass each file took part in, by name, and why the others took part in none.

    Files of one protocol share one pass over the images.
    """
    device = choose_device(run.device)
    passes: dict[str, Validated] = {}
    errors: dict[str, VanbenchError] = {}
    groups: dict[Protocol, dict[str, nn.Module]] = {}
    for candidate in candidates:
        try:
            model = load_model(candidate.path, layer_norm_eps=candidate.layer_norm_eps)
            refuse_head(model, candidate.protocol)
        except CheckpointError as error:
            errors[candidate.name] = error
        else:  # one at a time, so that no more than one model is held in two forms
            ready = prepare(model, device, run)
            groups.setdefault(candidate.protocol, {})[candidate.name] = ready
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
    models: Mapping[str, nn.Module],
    data: Path,
    protocol: Protocol,
    run: Run,
    progress: Progress = silent,
) -> Validated:
    """Run all ``models``, on the run's device, over the set at ``data``; decode each image once.

    Raises DataError when the set cannot be used. A model whose logits are not finite becomes a
    failure; the others go on.
    """
    device = choose_device(run.device)
    images = open_images(data, protocol.class_ids)
    indices = spread(len(images), run.limit)
    with progress("checking images", "images") as update:
        report = inspect(images, indices=indices, progress=update)
    batches = predict(
        models,
        images,
        protocol,
        indices=indices,
        batch_size=run.batch_size or default_batch_size(device),
        workers=default_workers(device) if run.workers is None else run.workers,
        device=device,
        precision=run.precision,
        on_error=run.on_error,
    )
    collected = _Collected(list(models), images)
    start = perf_counter()
    with progress("validating", "images") as update:
        for batch in batches:
            collected.add(batch)
            update(collected.done, len(indices), note=collected.note())
    seconds = perf_counter() - start
    return Validated(
        tallies=collected.finished(len(indices)),
        failures=collected.failures,
        protocol=protocol,
        data=_about(report, len(indices), collected.unreadable),
        numerics=_numerics(device, run),
        environment=environment(device),
        seconds=seconds,
        waited=collected.waited,
        partial=len(indices) < len(images),
    )


def _about(report: DataReport, used: int, unreadable: dict[str, str]) -> dict:
    """The set for the record: without the folder of this machine."""
    about = {key: value for key, value in report.as_dict().items() if key != "path"}
    return about | {"used": used, "unreadable": unreadable}


def prepare(model: VAN, device: torch.device, run: Run) -> nn.Module:
    """The module that computes: the exact rewrite for inference, or the reference itself."""
    model = model.to(device)
    if run.reference:
        return model
    from vanbench.fast import optimize

    return optimize(model)


def spread(total: int, limit: int | None) -> list[int]:
    """Indices of all images, or of ``limit`` of them spread evenly over the set.

    >>> spread(10, 3)
    [0, 3, 6]
    """
    if limit is None or limit >= total:
        return list(range(total))
    return [i * total // limit for i in range(limit)]


class _Collected:
    """Tallies and failures as the batches come."""

    def __init__(self, names: list[str], images: ImageSet):
        self.tallies = {name: Tally() for name in names}
        self.failures: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.images, self.waited, self.done = images, 0.0, 0

    def add(self, batch: Predictions) -> None:
        labels = torch.tensor([self.images.labels[i] for i in batch.indices])
        self.done += len(batch.indices)
        self.waited += batch.waited
        for index, reason in batch.unreadable.items():
            self.unreadable[self.images.names[index]] = reason
        readable = torch.tensor([i not in batch.unreadable for i in batch.indices])
        for name in list(self.tallies):
            self.tallies[name].add(batch.indices, labels, batch.top[name])
            finite = batch.logits[name].isfinite().all(dim=1)
            if bool((readable & ~finite).any()):
                bad = batch.indices[int((readable & ~finite).nonzero()[0])]
                self.failures[name] = f"logits are not finite for image {self.images.names[bad]}"
                del self.tallies[name]

    def note(self) -> str:
        """Running Top-1 of each model."""
        return "  ".join(
            f"{name.split('.')[0]} {100 * tally.correct1 / tally.images:.2f}"
            for name, tally in self.tallies.items()
        )

    def finished(self, expected: int) -> dict[str, Tally]:
        assert all(tally.images == expected for tally in self.tallies.values()), "images were lost"
        return self.tallies


def _numerics(device: torch.device, run: Run) -> dict[str, Any]:
    return {
        "precision": run.precision,
        "tf32": run.precision == "tf32",
        "device": device.type,
        "model": "reference" if run.reference else "optimized",
    }
