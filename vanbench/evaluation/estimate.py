"""How long a pass over the images will take, from a short trial of the models that are to run.

The trial is a pass over a few images whose predictions are not kept, so that it costs what a pass
costs, and changes nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import nn

from vanbench.data.layouts.images import ImageSet
from vanbench.devices import available_cores, default_batch_size, default_workers
from vanbench.evaluation.plan import COUNT_WRONG, RunOptions
from vanbench.evaluation.predict import predict
from vanbench.evaluation.resume import Work
from vanbench.progress import MINUTE, duration
from vanbench.zoo.entries import EvaluationProtocol

WORTH_SAYING = MINUTE  # seconds; a shorter pass needs no estimate
MOST_SHARE = 25  # a pass is at least so many times as long as its trial
SLOW = 1.0  # seconds; a batch that takes longer is not repeated without its warm-up
SHORTER_HELPS = 5 * MINUTE  # seconds from which a line says how long fewer images take
FEWER = 2000


@dataclass(frozen=True)
class Cost:
    """Seconds for one image: to read and decode it in one process, and to run it by model."""

    decode: float
    forward: Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """What was measured, and where the pass will run."""

    cost: Cost
    device: torch.device
    workers: int

    def seconds(self, models: Sequence[str], images: int) -> float:
        """How long these models take for so many images, each decoded once.

        Beside a GPU the slower of both sides counts. On a CPU decoding and the models share the
        cores, unless the workers are too few to keep the models busy.
        """
        decode, forward = self.cost.decode, sum(self.cost.forward[name] for name in models)
        if not self.workers:
            return images * (decode + forward)
        cores = available_cores()
        if self.device.type == "cpu":
            return images * max(forward + decode / cores, decode / self.workers)
        return images * max(forward, decode / min(self.workers, cores))


def try_models(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
) -> Trial | None:
    """A trial over some of the images at ``indices``; None where it would take long beside them.

    Compiled models have none, because a first batch of another size would compile them for it.
    """
    batch = _trial_batch(device, options)
    if options.compile or len(indices) < 2 * MOST_SHARE * batch:
        return None
    workers = default_workers(device) if options.workers is None else options.workers
    few = [indices[i * len(indices) // (2 * batch)] for i in range(2 * batch)]
    how = replace(options, workers=0, batch_size=batch, on_error=COUNT_WRONG)
    decode, forward = [], {}
    for name, model in models.items():
        decoded, forward[name] = _seconds_per_image(name, model, images, protocol, few, device, how)
        decode.append(decoded)
    return Trial(Cost(min(decode, default=0.0), forward), device, workers)


def _trial_batch(device: torch.device, options: RunOptions) -> int:
    """As many images as show the speed of a full batch: some for each thread of a CPU."""
    enough = 4 * torch.get_num_threads() if device.type == "cpu" else 64
    return min(enough, options.batch_size or default_batch_size(device))


def _seconds_per_image(
    name: str,
    model: nn.Module,
    images: ImageSet,
    protocol: EvaluationProtocol,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
) -> tuple[float, float]:
    """Seconds to decode an image, and to run it: of the second batch, where the first is quick."""
    batches = predict({name: model}, images, protocol, indices, device, options)
    decode = forward = 0.0
    with closing(batches):
        start = perf_counter()
        for batch in batches:
            n, now = len(batch.indices), perf_counter()
            decode, forward = batch.waited / n, (now - start - batch.waited) / n
            if now - start > SLOW:
                break
            start = perf_counter()
    return decode, forward


def note_estimate(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    total: int,
    work: Sequence[Work],
    device: torch.device,
    options: RunOptions,
) -> None:
    """Tell ``options.on_note`` how long this work takes, if it is worth saying.

    ``total`` is how many images the pass is over; those that no piece of work has are stored.
    """
    left = max((piece.indices for piece in work), key=len, default=[])
    trial = try_models(models, images, protocol, left, device, options)
    if trial is None:
        return
    seconds = sum(trial.seconds(piece.models, len(piece.indices)) for piece in work)
    if seconds >= WORTH_SAYING:
        stored = total - len({index for piece in work for index in piece.indices})
        count = (
            f"{len(models)} models × {total:,} images" if len(models) > 1 else f"{total:,} images"
        )
        fewer = trial.seconds(list(models), FEWER)
        options.on_note(estimate_text(seconds, count, stored, total, device, fewer))


def estimate_text(
    seconds: float, count: str, stored: int, total: int, device: torch.device, fewer: float
) -> str:
    """The estimate in one line; ``fewer`` is how long FEWER images take.

    >>> estimate_text(17400, "5 models × 50,000 images", 0, 50000, torch.device("cpu"), 720)
    '≈ 4 h 50 min on this CPU for 5 models × 50,000 images; --limit 2000 takes 12 min.'
    """
    where = "CPU" if device.type == "cpu" else "GPU"
    text = f"≈ {duration(seconds)} on this {where} for {count}"
    if stored:
        text += f", of which {stored:,} are stored"
    if seconds >= SHORTER_HELPS and total >= 2 * FEWER and fewer < seconds / 2:
        text += f"; --limit {FEWER} takes {duration(fewer)}"
    return f"{text}."
