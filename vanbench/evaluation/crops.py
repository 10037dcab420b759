"""Images as the network sees them, decoded by worker processes: uint8 crops in small pieces.

A piece is stacked in the worker that decoded it, so that it comes to the main process as one tensor
in shared memory. Pieces are asked for one after the other while the run goes on, not all at the
start: so several processes can take them from one list.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from types import TracebackType

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vanbench.data.decode import decode
from vanbench.data.layouts.images import ImageSet
from vanbench.data.pillow_warnings import log_pillow_warnings
from vanbench.data.pixel_cache import PixelCache
from vanbench.data.preprocess import PixelsOf, to_pixels
from vanbench.data.summary import NO_USE, CacheUse
from vanbench.devices import start_method
from vanbench.errors import DataError
from vanbench.interrupts import children_ignore_ctrl_c
from vanbench.zoo.entries import EvaluationProtocol

PIECE = 32
"""Images that a worker decodes at once, and the most that a process takes from a shared list."""


@dataclass(frozen=True)
class Crops:
    """n images of a set: ``pixels`` is uint8 (n, 3, crop, crop) on the CPU.

    An image that cannot be read is all zeros there, with its reason in ``unreadable``. ``changed``
    are those whose bytes are not the ones that were expected. ``seconds`` is how long the worker
    read and decoded them, ``cache`` how it used the cache of decoded images.
    """

    indices: tuple[int, ...]
    pixels: Tensor
    unreadable: Mapping[int, str]
    changed: tuple[int, ...]
    seconds: float
    cache: CacheUse = NO_USE

    def __len__(self) -> int:
        return len(self.indices)

    def pin_memory(self) -> "Crops":
        """The same in page-locked memory; torch's DataLoader calls it."""
        return replace(self, pixels=self.pixels.pin_memory())


@dataclass(frozen=True)
class CropsOf(Dataset[Crops]):
    """The crops of an image set by index; each image is hashed as it is decoded.

    ``content`` has the SHA-256 of each image as it was found before; an image that is not in it
    could not be read then. None means that any bytes will do. ``pixels_of`` makes the uint8 crop
    (3, crop, crop) of a decoded image. ``cache`` has such crops of images in ``content``; an image
    whose crop is there is neither read nor decoded, and the crops of others are stored.
    """

    images: ImageSet
    protocol: EvaluationProtocol
    content: Mapping[int, str] | None = None
    pixels_of: PixelsOf = to_pixels
    cache: PixelCache | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Crops:
        start = perf_counter()
        side = self.protocol.center_crop
        unreadable: dict[int, str] = {}
        changed: tuple[int, ...] = ()
        with torch.device("cpu"):  # also where the program has another default device
            pixels, use = self._cached(index), CacheUse(read=1)
            if pixels is None:
                pixels, use = torch.zeros(3, side, side, dtype=torch.uint8), NO_USE
                try:
                    encoded = self.images.read(index)
                    if self._is_expected(index, encoded):
                        pixels = self.pixels_of(decode(encoded), self.protocol)
                        use = self._store(index, pixels)
                    else:
                        changed = (index,)
                except DataError as error:
                    unreadable[index] = error.problem
        return Crops((index,), pixels[None], unreadable, changed, perf_counter() - start, use)

    def _cached(self, index: int) -> Tensor | None:
        sha256 = (self.content or {}).get(index)
        return None if self.cache is None or sha256 is None else self.cache.read(sha256)

    def _store(self, index: int, pixels: Tensor) -> CacheUse:
        """Store a crop that the cache does not have intact."""
        if self.cache is None or self.content is None:
            return NO_USE
        sha256 = self.content[index]
        self.cache.write(sha256, pixels)
        return CacheUse(damaged=sha256 in self.cache, failure=self.cache.failure)

    def _is_expected(self, index: int, encoded: bytes) -> bool:
        if self.content is None:
            return True
        return hashlib.sha256(encoded).hexdigest() == self.content.get(index)


def join(parts: Sequence[Crops]) -> Crops:
    """Crops one after the other."""
    return Crops(
        indices=tuple(index for part in parts for index in part.indices),
        pixels=_channels_last([part.pixels for part in parts]),
        unreadable={index: why for part in parts for index, why in part.unreadable.items()},
        changed=tuple(index for part in parts for index in part.changed),
        seconds=sum(part.seconds for part in parts),
        cache=sum((part.cache for part in parts), NO_USE),
    )


def _channels_last(parts: Sequence[Tensor]) -> Tensor:
    """Crops (n, 3, side, side) one after the other, channels last, as the decoder has them."""
    return torch.cat([part.permute(0, 2, 3, 1) for part in parts]).permute(0, 3, 1, 2)


def in_pieces(indices: Sequence[int], size: int = PIECE) -> Iterator[Sequence[int]]:
    """The indices in their order, ``size`` at a time.

    >>> list(in_pieces([5, 2, 9], 2))
    [[5, 2], [9]]
    """
    return (indices[at : at + size] for at in range(0, len(indices), size))


def load(
    source: CropsOf, pieces: Iterable[Sequence[int]], workers: int, *, pinned: bool = False
) -> Iterator[Crops]:
    """The crops of each piece, in order, decoded by ``workers`` processes; 0 is this process.

    A piece is taken from ``pieces`` when a worker is free for it. ``pinned`` crops are in
    page-locked memory, which a GPU copies from while the program goes on.
    """
    loader: DataLoader[Crops] = DataLoader(
        source,
        batch_sampler=_OnceOver(pieces),
        num_workers=workers,
        multiprocessing_context=start_method() if workers else None,
        collate_fn=join,
        pin_memory=pinned,
        worker_init_fn=_start_worker,
        generator=torch.Generator("cpu"),  # else the loader takes a seed from torch's global one
    )
    # The loader's seed is drawn on the CPU, whatever the default device is.
    with torch.device("cpu"), children_ignore_ctrl_c():
        batches = iter(loader)
    try:
        yield from batches
    finally:
        if source.cache is not None:
            source.cache.close()


@dataclass(frozen=True)
class _OnceOver:
    """The pieces as torch's DataLoader wants them: it iterates once, and asks for no length."""

    pieces: Iterable[Sequence[int]]

    def __iter__(self) -> Iterator[list[int]]:
        return map(list, self.pieces)


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
