"""How long a pass over the images will take, from a short trial of the models that are to run.

The trial is a pass over a few images whose predictions are not kept, so that it costs what a pass
costs, and changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import torch
from torch import nn

from vanbench.data.layouts.images import ImageSet
from vanbench.data.pixel_cache import PixelCache
from vanbench.devices import available_cores, default_batch_size
from vanbench.distributed import ONE, Processes
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.plan import COUNT_WRONG, RunOptions
from vanbench.evaluation.predict import BatchPredictions, piece_size, predict, workers_of
from vanbench.evaluation.resume import Work
from vanbench.progress import MINUTE, duration
from vanbench.runtimes.names import COMPILED
from vanbench.zoo.entries import EvaluationProtocol

WORTH_SAYING = MINUTE  # seconds; a shorter pass needs no estimate
MOST_SHARE = 16  # batches that a pass has at least, so that a first one costs little beside it
BATCHES = 4  # of the trial, for each model
LONGEST = 1.0  # seconds after which no other batch is tried with a model
SHORTER_HELPS = 5 * MINUTE  # seconds from which a line says how long fewer images take
FEWER = 2000


@dataclass(frozen=True)
class Cost:
    """Seconds for one image: to read and decode it in one process, and to run it by model."""

    decode: float
    forward: Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """What was measured, and where the pass will run: ``workers`` are those of each process."""

    cost: Cost
    device: torch.device
    workers: int
    here: Processes = ONE

    def seconds(self, models: Sequence[str], images: int) -> float:
        """How long these models take for so many images, each decoded once.

        Beside a GPU the slower of both sides counts. On a CPU decoding and the models share the
        cores, unless the workers are too few to keep the models busy.
        """
        decode, forward = self.cost.decode, sum(self.cost.forward[name] for name in models)
        images = -(-images // self.here.size)
        if not self.workers:
            return images * (decode + forward)
        cores = max(1, available_cores() // self.here.local_size)
        if self.device.type == "cpu":
            return images * max(forward + decode / cores, decode / self.workers)
        return images * max(forward, decode / min(self.workers, cores))

    def of(self, work: Sequence[Work]) -> float:
        """How long some work takes, one piece after the other."""
        return sum(self.seconds(piece.models, len(piece.indices)) for piece in work)


def try_models(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    work: Sequence[Work],
    device: torch.device,
    options: RunOptions,
    *,
    content: Mapping[int, str] | None = None,
    cache: PixelCache | None = None,
) -> Trial | None:
    """A trial over some of the images of ``work``; None where the work is short.

    ``content`` and ``cache`` are those of ``crops.CropsOf``; nothing is stored in the cache.
    Compiled models have none, because a first batch of another size would compile them for it.
    """
    batch = _trial_batch(device, options)
    left = max((piece.indices for piece in work), key=len, default=[])
    if options.runtime == COMPILED or len(left) < MOST_SHARE * batch:
        return None
    few = left[:: len(left) // (BATCHES * batch)][: BATCHES * batch]
    how = replace(options, workers=0, batch_size=batch, on_error=COUNT_WRONG)
    size = piece_size(device, how)
    stored = cache and cache.read_only()
    passes = {
        name: _costs(
            predict(
                {name: model},
                images,
                protocol,
                in_pieces(few, size),
                device,
                how,
                content=content,
                cache=stored,
            )
        )
        for name, model in models.items()
    }
    workers, here = workers_of(device, options), options.team.here
    first = {name: next(costs) for name, costs in passes.items()}
    at_most = Trial(_cost(first), device, workers, here)
    if at_most.of(work) < WORTH_SAYING:
        return None
    slow = {name for name, costs in first.items() if sum(costs) * batch > LONGEST}
    warm = {n: first[n] if n in slow else _warm(costs) or first[n] for n, costs in passes.items()}
    return Trial(_cost(warm), device, workers, here)


def _trial_batch(device: torch.device, options: RunOptions) -> int:
    """As many images as show the speed of a full batch: some for each thread of a CPU."""
    enough = 4 * torch.get_num_threads() if device.type == "cpu" else 64
    return min(enough, options.batch_size or default_batch_size(device))


Seconds = tuple[float, float]
"""For one image: to decode it, and to run it through one model."""


def _costs(batches: Iterator[BatchPredictions]) -> Iterator[Seconds]:
    """The seconds of each batch; the first has what happens once."""
    start = perf_counter()
    for batch in batches:
        n, taken = len(batch.indices), perf_counter() - start
        yield batch.times.wait / n, (taken - batch.times.wait) / n
        start = perf_counter()


def _warm(costs: Iterator[Seconds]) -> Seconds | None:
    """The median of some batches after the first; None for a model that failed."""
    start = perf_counter()
    found = []
    for seconds in costs:
        found.append(seconds)
        if perf_counter() - start > LONGEST:
            break
    if not found:
        return None
    decode, forward = zip(*found, strict=True)
    return median(decode), median(forward)


def _cost(seconds: Mapping[str, Seconds]) -> Cost:
    decode = min((decode for decode, _ in seconds.values()), default=0.0)
    return Cost(decode, {name: forward for name, (_, forward) in seconds.items()})


def note_estimate(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    total: int,
    work: Sequence[Work],
    device: torch.device,
    options: RunOptions,
    *,
    content: Mapping[int, str] | None = None,
    cache: PixelCache | None = None,
) -> None:
    """Tell ``options.on_note`` how long this work takes, if it is worth saying.

    ``total`` is how many images the pass is over; those that no piece of work has are stored.
    """
    trial = try_models(
        models, images, protocol, work, device, options, content=content, cache=cache
    )
    if trial is None:
        return
    seconds = trial.of(work)
    if seconds >= WORTH_SAYING:
        stored = total - len({index for piece in work for index in piece.indices})
        count = (
            f"{len(models)} models × {total:,} images" if len(models) > 1 else f"{total:,} images"
        )
        fewer = trial.seconds(list(models), min(total, FEWER))
        options.on_note(estimate_text(seconds, count, stored, total, device, fewer))


def estimate_text(
    seconds: float,
    count: str,
    stored: int,
    total: int,
    device: torch.device,
    fewer: float,
    option: str = f"--limit {FEWER}",
) -> str:
    """The estimate in one line; ``fewer`` is how long it takes with ``option``.

    >>> estimate_text(17400, "5 models × 50,000 images", 0, 50000, torch.device("cpu"), 720)
    '≈ 4 h 50 min on this CPU for 5 models × 50,000 images; --limit 2000 takes 12 min.'
    """
    where = "CPU" if device.type == "cpu" else "GPU"
    text = f"≈ {duration(seconds)} on this {where} for {count}"
    if stored:
        text += f", of which {stored:,} are stored"
    if seconds >= SHORTER_HELPS and fewer < seconds / 2:
        text += f"; {option} takes {duration(fewer)}"
    return f"{text}."
