"""One pass over the images for many models: predictions per image.

Workers read and decode each image once, to uint8 pixels; every model sees the same batch. Work is
an explicit list of image indices, and each prediction carries its image's index.
"""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vanbench.data.decode import decode
from vanbench.data.layouts.images import ImageSet
from vanbench.data.pillow_warnings import log_pillow_warnings
from vanbench.data.preprocess import PixelsOf, normalize, to_pixels
from vanbench.devices import (
    default_batch_size,
    default_workers,
    numerics,
    start_method,
    worker_signals,
)
from vanbench.errors import DataError, VanbenchError, unexpected_as_errors
from vanbench.evaluation.plan import STOP, RunOptions
from vanbench.interrupts import children_ignore_ctrl_c
from vanbench.prediction_store.prediction import TOP
from vanbench.zoo.entries import EvaluationProtocol


@dataclass(frozen=True)
class BatchPredictions:
    """What every model predicted for one batch of n images.

    ``top`` and ``logits`` map a model to (n, k) class indices and their logits, best first, with
    k = min(5, classes); an image that could not be read has −1 and NaN there, and its reason in
    ``unreadable``. A model that failed is in ``failures`` instead, with the reason. ``waited`` is
    how long the models waited for this batch, in seconds.
    """

    indices: list[int]
    top: dict[str, Tensor]
    logits: dict[str, Tensor]
    unreadable: dict[int, str]
    waited: float
    failures: dict[str, VanbenchError] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """The uint8 pixels of an image, or why there are none.

    ``changed`` says that the bytes are not those that were expected.
    """

    index: int
    pixels: Tensor | None
    reason: str = ""
    changed: bool = False


def predict(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
    *,
    content: Mapping[int, str] | None = None,
    pixels_of: PixelsOf = to_pixels,
) -> Iterator[BatchPredictions]:
    """Run all ``models`` over the images at ``indices``, batch by batch, decoding each once.

    ``content`` has the SHA-256 of each image, as it was found before; an image that is not in it
    could not be read then. A model that raises an exception is left out of the later batches;
    without any model left there are none. ``pixels_of`` is what turns a decoded image into uint8
    (3, center_crop, center_crop).

    Raises DataError naming the image whose bytes are not those of ``content``, and the one that
    cannot be read, unless ``options.on_error`` is ``count-wrong``. torch's modes are set within a
    batch only, never while the caller runs.
    """
    models = dict(models)
    if not models:
        return
    workers = default_workers(device) if options.workers is None else options.workers
    loader: DataLoader[Sample] = DataLoader(
        _Samples(images, protocol, content, pixels_of),
        batch_size=options.batch_size or default_batch_size(device),
        sampler=list(indices),
        num_workers=workers,
        multiprocessing_context=start_method() if workers else None,
        collate_fn=list,
        worker_init_fn=_start_worker,
        generator=torch.Generator("cpu"),  # else the loader takes a seed from torch's global one
    )
    with worker_signals():
        asked = time.perf_counter()
        # The loader's seed is drawn on the CPU, whatever the default device is.
        with torch.device("cpu"), children_ignore_ctrl_c():
            batches = iter(loader)
        for samples in batches:
            waited = time.perf_counter() - asked
            _refuse_changed(samples, images)
            if options.on_error == STOP:
                _refuse_unreadable(samples, images)
            with numerics(device, options.precision), torch.inference_mode():
                predictions = _predict_batch(models, samples, protocol, device, waited)
            yield predictions
            for name in predictions.failures:
                del models[name]
            if not models:
                return
            asked = time.perf_counter()


def _start_worker(number: int) -> None:
    """Prepare a process that decodes images, and does nothing else."""
    log_pillow_warnings()
    sys.excepthook = _show_unless_interrupted


def _show_unless_interrupted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an exception of a thread, but none for a connection that the main process closed.

    That happens where the main process is interrupted while it takes images from a worker.
    """
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)


class _Samples(Dataset[Sample]):
    """The samples of an image set; each image is hashed as it is decoded."""

    def __init__(
        self,
        images: ImageSet,
        protocol: EvaluationProtocol,
        content: Mapping[int, str] | None,
        pixels_of: PixelsOf,
    ):
        self.images, self.protocol = images, protocol
        self.content, self.pixels_of = content, pixels_of

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        try:
            encoded = self.images.read(index)
            if self._is_changed(index, encoded):
                return Sample(index, None, changed=True)
            with torch.device("cpu"):  # also where the program has another default device
                return Sample(index, self.pixels_of(decode(encoded), self.protocol))
        except DataError as error:
            return Sample(index, None, error.problem)

    def _is_changed(self, index: int, encoded: bytes) -> bool:
        if self.content is None:
            return False
        return hashlib.sha256(encoded).hexdigest() != self.content.get(index)


def _refuse_changed(samples: Sequence[Sample], images: ImageSet) -> None:
    """DataError naming the first image that is not the one that was checked."""
    for sample in samples:
        if sample.changed:
            raise DataError(
                f"image {images.names[sample.index]} changed after it was checked",
                where=images.path,
                remedy="Run the command again when no other program writes to the data set.",
            )


def _refuse_unreadable(samples: Sequence[Sample], images: ImageSet) -> None:
    """DataError naming the first image without pixels."""
    for sample in samples:
        if sample.pixels is None:
            raise DataError(
                f"image {images.names[sample.index]} cannot be used: {sample.reason}",
                where=images.path,
                remedy="Replace the file, or count such images as wrong with "
                "--on-error count-wrong.",
            )


def _predict_batch(
    models: Mapping[str, nn.Module],
    samples: Sequence[Sample],
    protocol: EvaluationProtocol,
    device: torch.device,
    waited: float,
) -> BatchPredictions:
    unreadable = {s.index: s.reason for s in samples if s.pixels is None}
    side = protocol.center_crop
    blank = torch.zeros(3, side, side, dtype=torch.uint8, device="cpu")
    pixels = torch.stack([blank if s.pixels is None else s.pixels for s in samples])
    batch = normalize(pixels.to(device), protocol)
    batch = batch.contiguous(memory_format=torch.channels_last)
    bad = [position for position, s in enumerate(samples) if s.pixels is None]
    found = BatchPredictions([s.index for s in samples], {}, {}, unreadable, waited)
    for name, model in models.items():
        try:
            with unexpected_as_errors():
                best = model(batch).float().topk(min(TOP, len(protocol.class_ids)), dim=1)
                indices, values = best.indices.cpu(), best.values.cpu()
        except VanbenchError as error:
            found.failures[name] = error
            continue
        indices[bad], values[bad] = -1, torch.nan
        found.top[name], found.logits[name] = indices, values
    return found
