"""Safetensors files: eight bytes with the length of the header, the header in JSON, the tensors.

https://github.com/huggingface/safetensors#format: the tensors follow each other without gaps.
"""

import math
from typing import IO, Any

from vanbench.checkpoints.stored import MOST_DIMS, Malformed, Storage, StoredContent, StoredTensor
from vanbench.outside.json_text import bounded_json
from vanbench.outside.safe_text import shorten

MOST_HEADER = 8 << 20  # bytes; that of the largest VAN takes 400,000
MOST_VALUES = 1_000_000  # in the header

_KINDS = {
    "F64": "torch.DoubleStorage",
    "F32": "torch.FloatStorage",
    "F16": "torch.HalfStorage",
    "BF16": "torch.BFloat16Storage",
    "I64": "torch.LongStorage",
    "I32": "torch.IntStorage",
    "I16": "torch.ShortStorage",
    "I8": "torch.CharStorage",
    "U8": "torch.ByteStorage",
    "BOOL": "torch.BoolStorage",
}


def read_safetensors(file: IO[bytes], size: int) -> StoredContent:
    """The content of a safetensors file of ``size`` bytes. Raises Malformed."""
    try:
        return _read(file, size)
    except (ValueError, Malformed) as error:
        problem = f"a damaged or truncated safetensors file ({error})"
        raise Malformed(problem) from error


def _read(file: IO[bytes], size: int) -> StoredContent:
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, size - 8):
        raise Malformed(f"a header of {length:,} bytes")
    header = bounded_json(file.read(length).decode("utf-8"), values=MOST_VALUES)
    if type(header) is not dict:
        raise Malformed("a header that is not an object")
    metadata = header.pop("__metadata__", None) or {}
    if type(metadata) is not dict or any(type(text) is not str for text in metadata.values()):
        raise Malformed("metadata that are not text")
    tensors: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, entry in header.items():
        tensors[name], places[name] = _tensor(name, entry)
    _check_places(places, size - 8 - length)
    starts = {name: 8 + length + start for name, (start, _) in places.items()}
    return StoredContent(tensors, starts, metadata=metadata)


def _tensor(name: str, entry: Any) -> tuple[StoredTensor, tuple[int, int]]:
    """A tensor as the header describes it, and where its bytes begin and end."""
    if type(entry) is not dict or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise Malformed(f"no tensor is described under {shorten(name)}")
    kind, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(kind) is not str or kind not in _KINDS:
        raise Malformed(f"{shorten(name)} of the type {shorten(kind)}")
    lists = type(shape) is list and type(place) is list and len(place) == 2
    if not lists or len(shape) > MOST_DIMS or not all(map(_is_count, shape + place)):
        raise Malformed(f"{shorten(name)}: sizes that are not those of a tensor")
    storage = Storage(name, _KINDS[kind], math.prod(shape))
    if storage.nbytes != place[1] - place[0]:
        raise Malformed(
            f"{shorten(name)} of {shorten(storage.nbytes)} bytes, in a place from "
            f"{shorten(place[0])} to {shorten(place[1])}"
        )
    tensor = StoredTensor(storage, 0, tuple(shape), _contiguous(shape))
    tensor.check(name)
    return tensor, (place[0], place[1])


def _is_count(number: Any) -> bool:
    return type(number) is int and 0 <= number < 1 << 62


def _contiguous(shape: list[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def _check_places(places: dict[str, tuple[int, int]], size: int) -> None:
    """Refuse tensors that overlap, gaps between them, and a file of another length."""
    end = 0
    for name, (start, stop) in sorted(places.items(), key=lambda item: item[1]):
        if start != end:
            raise Malformed(f"{shorten(name)} does not begin where the tensor before it ends")
        end = stop
    if end != size:
        raise Malformed(f"tensors of {end:,} bytes, in a file that has {size:,} for them")
