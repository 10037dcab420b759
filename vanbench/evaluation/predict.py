"""One pass over the images for many models: predictions per image, integers in the end.

Workers read and decode each image once, to uint8 pixels; every model sees the same batch. Work is
an explicit list of image indices, and each prediction carries its image's index.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vanbench.data.open import ImageSet
from vanbench.data.preprocess import PixelsOf, decode, normalize, to_pixels
from vanbench.errors import DataError, DeviceError
from vanbench.zoo.reader import Protocol

TOP = 5
ON_ERROR = ("stop", "count-wrong")
PRECISIONS = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Predictions:
    """What every model said about one batch of n images.

    ``top`` and ``logits`` map a model to (n, k) class indices and their logits, best first, with
    k = min(5, classes); an image that could not be read has −1 and NaN there, and its reason in
    ``unreadable``. ``waited`` is how long the models waited for this batch, in seconds.
    """

    indices: list[int]
    top: dict[str, Tensor]
    logits: dict[str, Tensor]
    unreadable: dict[int, str]
    waited: float


@dataclass
class Tally:
    """Integer counts of one model; percentages are made elsewhere."""

    images: int = 0
    correct1: int = 0
    correct5: int = 0
    seen: set[int] = field(default_factory=set, repr=False)

    def add(self, indices: Sequence[int], labels: Tensor, top: Tensor) -> None:
        """Count a batch: labels (n,) and top (n, k), each image once."""
        hits = top == labels[:, None]  # (n, k)
        self.correct1 += int(hits[:, :1].sum())
        self.correct5 += int(hits.sum())
        self.images += len(indices)
        self.seen.update(indices)
        assert len(self.seen) == self.images, "an image was counted twice"


def predict(
    models: Mapping[str, nn.Module],
    images: ImageSet,
    protocol: Protocol,
    *,
    indices: Sequence[int],
    batch_size: int,
    workers: int,
    device: torch.device,
    precision: str = "fp32",
    on_error: str = "stop",
    pixels_of: PixelsOf = to_pixels,
) -> Iterator[Predictions]:
    """Run all ``models`` over the images at ``indices``, batch by batch, decoding each once.

    ``pixels_of`` is what turns a decoded image into uint8 (3, center_crop, center_crop).
    Raises DataError naming the image that cannot be read, unless ``on_error`` is ``count-wrong``.
    """
    loader = DataLoader(
        _Pixels(images, protocol, pixels_of),
        batch_size=batch_size,
        sampler=list(indices),
        num_workers=workers,
        collate_fn=list,
        pin_memory=False,
    )
    with numerics(device, precision), torch.inference_mode():
        asked = time.perf_counter()
        for samples in loader:
            waited = time.perf_counter() - asked
            yield _predict_batch(models, samples, images, protocol, device, on_error, waited)
            asked = time.perf_counter()


def numerics(device: torch.device, precision: str) -> AbstractContextManager:
    """The context of a named precision; fp32 is without TF32, everywhere."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype) if dtype else nullcontext()


def default_workers(device: torch.device) -> int:
    """Decoding processes: all cores beside a GPU, half of them beside a model on the CPU."""
    cores = len(os.sched_getaffinity(0))
    return cores if device.type == "cuda" else max(1, cores // 2)


def default_batch_size(device: torch.device) -> int:
    """Images per batch: what keeps a GPU busy, or a CPU's caches warm."""
    return 256 if device.type == "cuda" else 32


def choose_device(name: str) -> torch.device:
    """``auto`` is a CUDA GPU where there is one, else the CPU; DeviceError if not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"No device {name!r} here ({reason}). Try --device auto.") from error
    return device


class _Pixels(Dataset):
    """The uint8 pixels of an image, or why there are none, with its index."""

    def __init__(self, images: ImageSet, protocol: Protocol, pixels_of: PixelsOf):
        self.images, self.protocol, self.pixels_of = images, protocol, pixels_of

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            return index, self.pixels_of(decode(self.images.read(index)), self.protocol)
        except DataError as error:
            return index, str(error)


def _predict_batch(
    models: Mapping[str, nn.Module],
    samples: list[tuple[int, Tensor | str]],
    images: ImageSet,
    protocol: Protocol,
    device: torch.device,
    on_error: str,
    waited: float,
) -> Predictions:
    unreadable = {index: reason for index, reason in samples if isinstance(reason, str)}
    if unreadable and on_error == "stop":
        index, reason = next(iter(unreadable.items()))
        raise DataError(
            f"{images.path}: image {images.names[index]} cannot be used: {reason}. "
            "Replace the file, or count such images as wrong with --on-error count-wrong."
        )
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
    return Predictions([index for index, _ in samples], top, logits, unreadable, waited)
