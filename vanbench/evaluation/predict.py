"""One pass over the images for many models: predictions per image.

Each image is decoded once, and every model sees the same batch. On a GPU the host is one batch
ahead: while the GPU computes a batch, the next one is copied behind it, and the results of the one
before are stored. The five best classes of all models come back in one transfer per batch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor, nn

from vanbench.data.layouts.images import ImageSet
from vanbench.data.pixel_cache import PixelCache
from vanbench.data.preprocess import PixelsOf, normalize, to_pixels
from vanbench.data.summary import NO_USE, CacheUse
from vanbench.devices import (
    default_batch_size,
    default_workers,
    free_cached_memory,
    is_out_of_memory,
    numerics,
    worker_signals,
)
from vanbench.errors import (
    DataError,
    DeviceError,
    ScoringError,
    VanbenchError,
    unexpected_as_errors,
)
from vanbench.evaluation.crops import PIECE, Crops, CropsOf, load
from vanbench.evaluation.plan import STOP, RunOptions
from vanbench.evaluation.timing import Stopwatch
from vanbench.prediction_store.prediction import TOP
from vanbench.report.records import Times
from vanbench.zoo.entries import EvaluationProtocol


@dataclass(frozen=True)
class BatchPredictions:
    """What every model predicted for one batch of n images.

    ``top`` and ``logits`` map a model to (n, k) class indices and their logits, best first, with
    k = min(5, classes); an image that could not be read has −1 and NaN there, and its reason in
    ``unreadable``. A model that failed is in ``failures`` instead, with the reason. ``times`` is
    where the time of this batch went, ``seconds`` what each model took. ``reduced`` has how many
    images at once a model computes since it ran out of memory with more. ``cache`` is how the cache
    of decoded images was used.
    """

    indices: Sequence[int]
    top: Mapping[str, Tensor]
    logits: Mapping[str, Tensor]
    unreadable: Mapping[int, str]
    times: Times
    failures: Mapping[str, VanbenchError] = field(default_factory=dict)
    reduced: Mapping[str, int] = field(default_factory=dict)
    cache: CacheUse = NO_USE
    seconds: Mapping[str, float] = field(default_factory=dict)


def predict(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    pieces: Iterable[Sequence[int]],
    device: torch.device,
    options: RunOptions,
    *,
    content: Mapping[int, str] | None = None,
    pixels_of: PixelsOf = to_pixels,
    cache: PixelCache | None = None,
) -> Iterator[BatchPredictions]:
    """Run all ``models`` over the images of ``pieces``, batch by batch, decoding each once.

    The rule of the set decides among which classes a prediction is chosen (``images.among``).

    ``pieces`` are lists of image indices (see ``crops.in_pieces``); a batch has as many as it takes
    to be full. ``content``, ``pixels_of`` and ``cache`` are those of ``crops.CropsOf``. A model
    that raises an exception is left out of the later batches; without any left there are none.

    Raises DataError naming the image whose bytes are not those of ``content``, and the one that
    cannot be read, unless ``options.on_error`` is ``count-wrong``. torch's modes are set within a
    batch only, never while the caller runs.
    """
    if not models:
        return
    ahead = device.type == "cuda"
    workers = workers_of(device, options)
    size = options.batch_size or default_batch_size(device)
    source = CropsOf(images, protocol, content, pixels_of, cache)
    crops = load(source, pieces, workers, pinned=ahead)
    runner = _Runner(dict(models), protocol, images.among, device, options)
    launched: list[_Launched] = []
    with worker_signals():
        for batch, waited in _batches(crops, size):
            _refuse(batch, images, options)
            for part in _launch(runner, batch, waited):
                launched.append(part)
                if len(launched) > ahead:
                    yield runner.finish(launched.pop(0))
            if not runner.models:
                break
        for last in launched:
            yield runner.finish(last)


def _launch(runner: "_Runner", crops: Sequence[Crops], waited: float) -> Iterator["_Launched"]:
    """Start to compute a batch, in two halves if the device has no memory for its images."""
    try:
        launched = runner.launch(crops, waited)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        launched = None
    if launched is not None:
        yield launched
        return
    free_cached_memory(runner.device)
    if len(crops) == 1:
        raise DeviceError(
            f"not enough memory on {runner.device} for {len(crops[0])} images",
            remedy="Try --batch-size 1, or run it when no other program uses this memory.",
        )
    half = len(crops) // 2
    yield from _launch(runner, crops[:half], waited)
    yield from _launch(runner, crops[half:], 0.0)


def workers_of(device: torch.device, options: RunOptions) -> int:
    """How many processes decode for this one."""
    if options.workers is not None:
        return options.workers
    return default_workers(device, options.team.here.local_size)


def piece_size(device: torch.device, options: RunOptions) -> int:
    """Images in a piece: at most ``PIECE``, and such that a batch is made of whole pieces.

    >>> piece_size(torch.device("cpu"), RunOptions(batch_size=48))
    24
    """
    batch = options.batch_size or default_batch_size(device)
    return -(-batch // -(-batch // PIECE))


def _batches(pieces: Iterator[Crops], size: int) -> Iterator[tuple[list[Crops], float]]:
    """Pieces that make a batch of at most ``size`` images, and how many seconds they took to come.

    A batch is complete when another piece as large as its last one would not fit.
    """
    batch: list[Crops] = []
    waited, asked = 0.0, perf_counter()
    for piece in pieces:
        waited += perf_counter() - asked
        batch.append(piece)
        if sum(map(len, batch)) + len(piece) > size:
            yield batch, waited
            batch, waited = [], 0.0
        asked = perf_counter()
    if batch:
        yield batch, waited


def _refuse(batch: Sequence[Crops], images: ImageSet, options: RunOptions) -> None:
    """DataError naming the first image that is not the one that was checked, or has no pixels."""
    for index in (index for crops in batch for index in crops.changed):
        raise DataError(
            f"image {images.names[index]} changed after it was checked",
            where=images.path,
            remedy="Run the command again when no other program writes to the data set.",
        )
    if options.on_error != STOP:
        return
    for index, reason in (item for crops in batch for item in crops.unreadable.items()):
        raise DataError(
            f"image {images.names[index]} cannot be used: {reason}",
            where=images.path,
            remedy="Replace the file, or count such images as wrong with --on-error count-wrong.",
        )


@dataclass(frozen=True)
class _Launched:
    """A batch that a device computes or has computed.

    ``best`` is float32 (models, 2, n, k) in host memory once the device is done: the logits of the
    k best classes, and their indices, which float32 has exactly. ``watch`` was read after the
    images were on the device, after each of the models ``tried``, and at the end.
    """

    crops: Sequence[Crops]
    waited: float
    names: tuple[str, ...]
    best: Tensor
    failures: Mapping[str, VanbenchError]
    watch: Stopwatch
    tried: tuple[str, ...]


class _Runner:
    """The models on their device. ``models`` are those that have not failed.

    With ``among``, a prediction is chosen among these classes; the logits of the others do not
    count, however large they are.
    """

    def __init__(
        self,
        models: dict[str, nn.Module],
        protocol: EvaluationProtocol,
        among: Sequence[int] | None,
        device: torch.device,
        options: RunOptions,
    ):
        self.models, self.protocol, self.device = models, protocol, device
        self.among = None if among is None else torch.tensor(among, device=device)
        self.options = options
        self.most: dict[str, int] = {}  # images at once, of models that ran out of memory

    def launch(self, crops: Sequence[Crops], waited: float) -> _Launched:
        """Start to compute a batch."""
        best: dict[str, Tensor] = {}
        failures: dict[str, VanbenchError] = {}
        watch = Stopwatch(self.device)
        with numerics(self.device, self.options.precision), torch.inference_mode():
            batch = self._upload(crops)
            watch.mark()
            for name, model in self.models.items():
                try:
                    with unexpected_as_errors():
                        best[name] = self._best(name, model, batch)
                except VanbenchError as error:
                    failures[name] = error
                watch.mark()
            found = _to_host(torch.stack(list(best.values()))) if best else batch.new_empty(0)
        watch.mark()
        tried = tuple(self.models)
        for name in failures:
            del self.models[name]
        return _Launched(crops, waited, tuple(best), found, failures, watch, tried)

    def _upload(self, crops: Sequence[Crops]) -> Tensor:
        """The network's input: float32 (n, 3, crop, crop), channels last, on the device."""
        parts = [part.pixels.to(self.device, non_blocking=True) for part in crops]
        pixels = parts[0] if len(parts) == 1 else torch.cat(parts)
        batch = normalize(pixels, self.protocol)
        return batch.contiguous(memory_format=torch.channels_last)

    def _best(self, name: str, model: nn.Module, batch: Tensor) -> Tensor:
        """The best logits and their class indices, (2, n, k), in as many parts as fit in memory."""
        while True:
            size = self.most.get(name, len(batch))
            try:
                parts = torch.split(batch, size)
                return torch.cat([self._best_of_part(model, part) for part in parts], dim=1)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # The exception is gone here, and with it what it held in memory.
            self._halve(name, min(size, len(batch)))

    def _best_of_part(self, model: nn.Module, part: Tensor) -> Tensor:
        logits = model(part).float()
        if self.among is not None:
            logits = logits[:, self.among]
        best = logits.topk(min(TOP, logits.shape[1]), dim=1)
        classes = best.indices if self.among is None else self.among[best.indices]
        return torch.stack([best.values, classes.float()])

    def _halve(self, name: str, size: int) -> None:
        """Give a model half as many images at once from now on; ScoringError if it had one."""
        free_cached_memory(self.device)
        if size == 1:
            raise ScoringError(
                f"not enough memory on {self.device} for one image",
                remedy="Run the model alone, on another device, or when no other program uses "
                "this one's memory.",
            )
        self.most[name] = size // 2
        self.options.on_note(
            f"{name}: not enough memory on {self.device} for {size} images at once; "
            f"going on with {size // 2}."
        )

    def finish(self, launched: _Launched) -> BatchPredictions:
        """The predictions of a batch; waits until the device has computed them."""
        copied, *computed = launched.watch.seconds()
        seconds = dict(zip(launched.tried, computed, strict=False))
        indices = [index for part in launched.crops for index in part.indices]
        unreadable = {i: why for part in launched.crops for i, why in part.unreadable.items()}
        bad = [position for position, index in enumerate(indices) if index in unreadable]
        top, logits = {}, {}
        for name, (values, classes) in zip(launched.names, launched.best, strict=False):
            top[name], logits[name] = classes.long(), values.clone()
            top[name][bad], logits[name][bad] = -1, torch.nan
        return BatchPredictions(
            indices=indices,
            top=top,
            logits=logits,
            unreadable=unreadable,
            times=Times(
                decode=sum(part.seconds for part in launched.crops),
                wait=launched.waited,
                copy=copied,
                forward=sum(computed),
            ),
            failures=launched.failures,
            reduced=dict(self.most),
            seconds={name: seconds[name] for name in launched.names},
            cache=sum((part.cache for part in launched.crops), NO_USE),
        )


def _to_host(found: Tensor) -> Tensor:
    """A copy in host memory, which is complete when the device has done what was started before."""
    if found.device.type != "cuda":
        return found.cpu()
    host = torch.empty_like(found, device="cpu", pin_memory=torch.cuda.is_available())
    return host.copy_(found, non_blocking=True)
