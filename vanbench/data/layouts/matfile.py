"""The part of MATLAB's MAT-file format (level 5) that a devkit's ``meta.mat`` is written in.

Numbers, text, structs and their nesting; plain or compressed. The format is described in "MAT-File
Format", The MathWorks, chapter 1. A reader of 100 lines saves the devkit's users from installing
SciPy for a table of a thousand rows.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

HEADER_BYTES = 128

# Data types of elements, as type codes of the array module; the rest are containers.
_NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_TEXT = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4  # classes of a matrix; those from 6 on are numeric


def read_mat(data: bytes) -> dict[str, Any]:
    """The variables of a MAT-file by name; ValueError if it is not a little-endian level 5 file.

    Text is str, numbers are a list in MATLAB's (column-major) order, a struct array is a list of
    dicts and a cell array a list.
    """
    if len(data) < HEADER_BYTES or data[126:128] != b"IM":
        raise ValueError("not a MATLAB level 5 MAT-file")
    try:
        elements = _elements(data[HEADER_BYTES:])
        return dict(_matrix(content) for kind, content in elements if kind == _MATRIX)
    except (struct.error, zlib.error, IndexError, StopIteration, KeyError) as error:
        raise ValueError(f"a damaged or unsupported MAT-file ({error!r})") from error


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, content) of each data element, decompressed."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind >> 16:  # the small format: size and type in one word, content in the next
            kind, size, start, step = kind & 0xFFFF, kind >> 16, at + 4, 8
        else:
            # Compressed elements are not padded to 8 bytes, all others are.
            start, step = at + 8, 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise IndexError("the file ends early")
        content = data[start : start + size]
        if kind == _COMPRESSED:
            yield from _elements(zlib.decompress(content))
        else:
            yield kind, content
        at += step


def _matrix(data: bytes) -> tuple[str, Any]:
    """The name and value of a matrix element."""
    parts = _elements(data)
    if not data:
        return "", []
    _, flags = next(parts)
    klass = flags[0]
    dims = _numbers(*next(parts))
    name = next(parts)[1].decode("ascii")
    count = 1
    for length in dims:
        count *= length
    if klass == _STRUCT:
        return name, _structs(parts, count)
    if klass == _CELL:
        return name, [_matrix(body)[1] for _, body in parts]
    kind, content = next(parts, (1, b""))
    return name, _text(kind, content) if klass == _CHAR else _numbers(kind, content)


def _structs(parts: Iterator[tuple[int, bytes]], count: int) -> list[dict[str, Any]]:
    width = _numbers(*next(parts))[0]
    names = next(parts)[1]
    keys = [
        names[at : at + width].split(b"\0")[0].decode("ascii") for at in range(0, len(names), width)
    ]
    return [{key: _matrix(next(parts)[1])[1] for key in keys} for _ in range(count)]


def _numbers(kind: int, content: bytes) -> list:
    values = array(_NUMBERS[kind])
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def _text(kind: int, content: bytes) -> str:
    if kind in _TEXT:
        return content.decode(_TEXT[kind] + ("" if kind == 16 else "-le"))
    return "".join(map(chr, _numbers(kind, content)))
