"""One pass as several processes do it: who predicts what, and how predictions reach the first one.

The first process owns the stored predictions. It says what is left to do; every process, the first
one too, claims small pieces of it until none is left, and the others send their predictions to the
first. No image is padded or seen twice, and a slow process claims less.
"""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import torch
from torch import nn

from vanbench.data.layouts.images import ImageSet
from vanbench.data.pixel_cache import PixelCache
from vanbench.errors import DataError, DeviceError, VanbenchError, unexpected_as_errors
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.predict import BatchPredictions, piece_size, predict
from vanbench.evaluation.resume import Work
from vanbench.prediction_store.store import RunKey
from vanbench.report.records import Times
from vanbench.zoo.entries import EvaluationProtocol

PAUSE = 0.005  # seconds between two looks for predictions, when nothing else is to be done

Round = Sequence[tuple[str, Work]]
"""What is left to do, in pieces of work with unique names; an empty one ends the pass."""


@dataclass(frozen=True)
class Computation:
    """Models over images: all that a process needs to predict pieces of work."""

    models: Mapping[str, nn.Module]
    images: ImageSet
    protocol: EvaluationProtocol
    content: Mapping[int, str]
    device: torch.device
    options: RunOptions
    cache: PixelCache | None = None

    def batches(self, name: str, work: Work, models: Collection[str]) -> Iterator[BatchPredictions]:
        """Predictions of these models for the pieces of ``work`` that this process gets."""
        team, options = self.options.team, self.options
        pieces = team.claim(name, work.indices, piece_size(self.device, options))
        chosen = {name: self.models[name] for name in models}
        yield from predict(
            chosen,
            self.images,
            self.protocol,
            pieces,
            self.device,
            options,
            content=self.content,
            cache=self.cache,
        )


@dataclass(frozen=True)
class _Sent:
    """What another process sends of a piece of work; the last one has neither of the others."""

    work: str
    batch: BatchPredictions | None = None
    error: VanbenchError | None = None


def refuse_differences(computation: Computation, keys: Mapping[str, RunKey]) -> None:
    """Make sure that all processes compute the same from the same images.

    Raises in every process: DataError if another node has other images, DeviceError if a process
    would compute with other numerics, such as on another kind of GPU.
    """
    team = computation.options.team
    if team.here.is_alone:
        return
    images = computation.images
    own = sorted((i, images.labels[i], sha256) for i, sha256 in computation.content.items())
    digest = hashlib.sha256(repr(own).encode()).hexdigest()
    (first, wanted), *others = team.gather((digest, {n: key.identity for n, key in keys.items()}))
    for rank, (found, identities) in enumerate(others, 1):
        if found != first:
            raise DataError(
                f"the images that rank {rank} finds here are not those of rank 0",
                where=images.path,
                remedy="Give every node the same data set under the same path.",
            )
        if identities != wanted:
            raise DeviceError(
                f"rank {rank} computes otherwise than rank 0: {_difference(identities, wanted)}",
                remedy="Use nodes with the same processors, GPUs and installed versions.",
            )


def _difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """The first thing that is different in the keys of runs, in words."""
    for name, identity in wanted.items():
        one, other = _flat(json.loads(identity)), _flat(json.loads(found[name]))
        for key, value in one.items():
            if other.get(key) != value:
                return f"{key} is {other.get(key)}, not {value}"
    return "its models are others"


def _flat(key: Mapping[str, Any]) -> dict[str, Any]:
    return {"checkpoint": key["checkpoint"], **key["protocol"], **key["numerics"]}


def lead(
    computation: Computation, works: Sequence[Work], models: Collection[str]
) -> Iterator[tuple[int, BatchPredictions]]:
    """Predictions with the rank of the process that made them, until ``works`` are done.

    ``models`` are those that have not failed; it may get shorter. Raises the error that ended the
    work of any process.
    """
    team = computation.options.team
    named: Round = [(uuid4().hex, work) for work in works]
    team.at_first(lambda: named)
    for name, work in named:
        busy = set(range(1, team.here.size))
        try:
            chosen = [model for model in work.models if model in models]
            for batch in computation.batches(name, work, chosen):
                yield 0, batch
                yield from _received(computation, name, busy)
                if not models:
                    team.close(name, work.indices)
            while busy:
                yield from _received(computation, name, busy)
                time.sleep(PAUSE)
        finally:
            team.close(name, work.indices)


def _received(
    computation: Computation, work: str, busy: set[int]
) -> Iterator[tuple[int, BatchPredictions]]:
    """What other processes predicted of a piece of work up to now; ``busy`` are those not done.

    What they sent of earlier work, which an error has ended, is dropped.
    """
    for rank, sent in computation.options.team.receive():
        if sent.work != work:
            continue
        if sent.error:
            raise sent.error
        if sent.batch:
            yield rank, sent.batch
        else:
            busy.remove(rank)


def end(computation: Computation) -> None:
    """Let the other processes go on to what comes after this pass."""
    computation.options.team.at_first(lambda: [])


def assist(computation: Computation) -> None:
    """Predict what the first process says is left, until nothing is."""
    team = computation.options.team
    nothing: Round = []
    while named := team.at_first(lambda: nothing):
        for name, work in named:
            try:
                with unexpected_as_errors():
                    _send_all(computation, name, work)
            except VanbenchError as error:
                team.send(_Sent(name, error=error))
            else:
                team.send(_Sent(name))


def _send_all(computation: Computation, name: str, work: Work) -> None:
    team, spent = computation.options.team, 0.0
    for batch in computation.batches(name, work, work.models):
        start = time.perf_counter()
        team.send(_Sent(name, replace(batch, times=batch.times + Times(bookkeeping=spent))))
        spent = time.perf_counter() - start
