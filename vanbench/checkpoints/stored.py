"""Tensors as a checkpoint file declares them, checked and not yet read. No torch here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vanbench.outside.safe_text import for_terminal, shorten

MOST_DIMS = 32  # a VAN's tensors have at most four
MOST_ELEMENTS = 1 << 60  # also of an empty tensor, without the dimensions that are zero

ITEM_BYTES = {
    "torch.DoubleStorage": 8,
    "torch.FloatStorage": 4,
    "torch.HalfStorage": 2,
    "torch.BFloat16Storage": 2,
    "torch.LongStorage": 8,
    "torch.IntStorage": 4,
    "torch.ShortStorage": 2,
    "torch.CharStorage": 1,
    "torch.ByteStorage": 1,
    "torch.BoolStorage": 1,
}


class Malformed(Exception):
    """A file that is not of the kind that holds weights."""


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    """The memory behind tensors, as declared."""

    key: str
    kind: str
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * ITEM_BYTES[self.kind]


@dataclass(frozen=True, eq=False, slots=True)
class StoredTensor:
    """A tensor as declared; ``check`` it before it is made."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def check(self, name: str) -> None:
        """Raise Malformed for a shape that the storage does not hold, element by element."""
        size, stride, shown = self.size, self.stride, for_terminal(name, most=200)
        if len(size) > MOST_DIMS:
            raise Malformed(f"{shown}, which has {len(size):,} dimensions, more than {MOST_DIMS}")
        if len(size) != len(stride) or not all(map(_is_count, (self.offset, *size, *stride))):
            raise Malformed(f"{shown}: sizes that are not those of a tensor")
        count = math.prod(size)
        reach = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        inside = self.offset + (reach if count else 0) <= self.storage.numel
        if not inside or (count and count > reach) or self._is_absurd():
            raise Malformed(
                f"{shown} has the shape {shorten(size)} with strides "
                f"{shorten(stride)} from element {shorten(self.offset)} on, which its storage of "
                f"{shorten(self.storage.numel)} elements does not hold"
            )

    def _is_absurd(self) -> bool:
        """Whether torch could not express it; only a tensor with few elements can be so."""
        extent = math.prod(max(n, 1) for n in self.size)
        return max(extent, *self.stride, 0) > MOST_ELEMENTS


def _is_count(number: Any) -> bool:
    return type(number) is int and number >= 0


@dataclass(frozen=True, eq=False)
class StoredContent:
    """What a file holds: ``value`` is made of plain containers, StoredTensors and stand-ins.

    ``starts`` has the place of each storage's bytes in the file. ``big_endian`` is the order of
    the bytes within a number. ``mappable``: whether the numbers may lie in the file where they are
    used from. ``metadata`` is the text that a safetensors file carries; empty for other files.
    """

    value: Any
    starts: Mapping[str, int]
    mappable: bool = True
    big_endian: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
