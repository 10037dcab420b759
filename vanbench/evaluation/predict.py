"""One pass over the images for many models: predictions per image.

Workers read and decode each image once, to uint8 pixels; every model sees the same batch. Work is
an explicit list of image indices, and each prediction carries its image's index.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vanbench.data.decode import decode
from vanbench.data.layouts.images import ImageSet
from vanbench.data.preprocess import PixelsOf, normalize, to_pixels
from vanbench.devices import default_batch_size, default_workers, numerics
from vanbench.errors import DataError
from vanbench.evaluation.plan import RunOptions
from vanbench.zoo.entries import EvaluationProtocol

TOP = 5


@dataclass(frozen=True)
class BatchPredictions:
    """What every model predicted for one batch of n images.

    ``top`` and ``logits`` map a model to (n, k) class indices and their logits, best first, with
    k = min(5, classes); an image that could not be read has −1 and NaN there, and its reason in
    ``unreadable``. ``waited`` is how long the models waited for this batch, in seconds.
    """

    indices: list[int]
    top: dict[str, Tensor]
    logits: dict[str, Tensor]
    unreadable: dict[int, str]
    waited: float


def predict(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: EvaluationProtocol,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
    pixels_of: PixelsOf = to_pixels,
) -> Iterator[BatchPredictions]:
    """Run all ``models`` over the images at ``indices``, batch by batch, decoding each once.

    ``pixels_of`` is what turns a decoded image into uint8 (3, center_crop, center_crop).
    Raises DataError naming the image that cannot be read, unless ``options.on_error`` is
    ``count-wrong``. torch's modes are set within a batch only, never while the caller runs.
    """
    loader: DataLoader[tuple[int, Tensor | str]] = DataLoader(
        _Pixels(images, protocol, pixels_of),
        batch_size=options.batch_size or default_batch_size(device),
        sampler=list(indices),
        num_workers=default_workers(device) if options.workers is None else options.workers,
        collate_fn=list,
        generator=torch.Generator(),  # else it draws a seed from the global one
    )
    asked = time.perf_counter()
    for samples in loader:
        waited = time.perf_counter() - asked
        _refuse_unreadable(samples, images, options.on_error)
        with numerics(device, options.precision), torch.inference_mode():
            predictions = _predict_batch(models, samples, protocol, device, waited)
        yield predictions
        asked = time.perf_counter()


class _Pixels(Dataset[tuple[int, Tensor | str]]):
    """The uint8 pixels of an image, or why there are none, with its index."""

    def __init__(self, images: ImageSet, protocol: EvaluationProtocol, pixels_of: PixelsOf):
        self.images, self.protocol, self.pixels_of = images, protocol, pixels_of

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            return index, self.pixels_of(decode(self.images.read(index)), self.protocol)
        except DataError as error:
            return index, error.problem


def _refuse_unreadable(
    samples: list[tuple[int, Tensor | str]], images: ImageSet, on_error: str
) -> None:
    for index, reason in samples:
        if isinstance(reason, str) and on_error == "stop":
            raise DataError(
                f"image {images.names[index]} cannot be used: {reason}",
                where=images.path,
                remedy="Replace the file, or count such images as wrong with "
                "--on-error count-wrong.",
            )


def _predict_batch(
    models: Mapping[str, nn.Module],
    samples: list[tuple[int, Tensor | str]],
    protocol: EvaluationProtocol,
    device: torch.device,
    waited: float,
) -> BatchPredictions:
    unreadable = {index: reason for index, reason in samples if isinstance(reason, str)}
    blank = torch.zeros(3, protocol.center_crop, protocol.center_crop, dtype=torch.uint8)
    pixels = torch.stack([blank if isinstance(p, str) else p for _, p in samples])
    batch = normalize(pixels.to(device, non_blocking=True), protocol)
    batch = batch.contiguous(memory_format=torch.channels_last)
    bad = [position for position, (index, _) in enumerate(samples) if index in unreadable]
    top, logits = {}, {}
    for name, model in models.items():
        best = model(batch).float().topk(min(TOP, len(protocol.class_ids)), dim=1)
        top[name], logits[name] = best.indices.cpu(), best.values.cpu()
        top[name][bad], logits[name][bad] = -1, torch.nan
    return BatchPredictions([index for index, _ in samples], top, logits, unreadable, waited)
