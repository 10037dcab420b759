"""The sizes of a Parquet column's pages, as their headers state them.

A reader allocates what a page's header says, and a compressed page of a few kilobytes may say
gigabytes. The footer has sizes too, which need not be true. The headers are structures in Thrift's
compact protocol; only their first fields are of interest.
"""

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

HEADER_BYTES = 1 << 16  # a header has a few dozen bytes, or more with the least and greatest value
MOST_DEPTH = 8

UNPACKED, PACKED = 2, 3  # the fields with a page's size in bytes
_BOOLEANS, _INTEGERS, _BYTES, _STRUCT = (1, 2), (3, 4, 5, 6), 8, 12  # types of fields
_DOUBLE = 7


def unpacked_bytes(file: BinaryIO, chunk: Any) -> int:
    """The bytes that the pages of a column chunk have when they are unpacked.

    ``chunk`` is pyarrow's ColumnChunkMetaData. ValueError if the pages are not where it says.
    """
    return sum(_pages(file, chunk))


def _pages(file: BinaryIO, chunk: Any) -> Iterator[int]:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    end = start + chunk.total_compressed_size
    if not 0 <= start <= end <= os.fstat(file.fileno()).st_size:
        raise ValueError("a column is not where the footer says")
    while start < end:
        file.seek(start)
        fields, length = _read_fields(file.read(min(HEADER_BYTES, end - start)))
        packed, unpacked = fields.get(PACKED, -1), fields.get(UNPACKED, -1)
        if packed < 0 or unpacked < 0:
            raise ValueError(f"the page at byte {start:,} has no valid size")
        yield unpacked
        start += length + packed


def _read_fields(data: bytes) -> tuple[dict[int, int], int]:
    """The integers of a structure by the number of their field, and the structure's length."""
    try:
        return _struct(data, 0, MOST_DEPTH)
    except IndexError:
        raise ValueError("a page header is not complete") from None


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, int], int]:
    fields: dict[int, int] = {}
    number = 0
    if not depth:
        raise ValueError("a page header is nested too deeply")
    while byte := data[at]:
        at += 1
        step, kind = byte >> 4, byte & 15
        if step:
            number += step
        else:
            zigzag, at = _varint(data, at)
            number = _signed(zigzag)
        if kind in _INTEGERS:
            value, at = _varint(data, at)
            fields[number] = _signed(value)
        else:
            at = _skip(data, at, kind, depth)
    return fields, at + 1


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """The position after a value that is no integer."""
    if kind in _BOOLEANS:
        return at
    if kind == _DOUBLE:
        return at + 8
    if kind == _BYTES:
        length, at = _varint(data, at)
        return at + length
    if kind == _STRUCT:
        return _struct(data, at, depth - 1)[1]
    raise ValueError(f"a page header has a field of the unknown type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a page header has an integer that is too long")


def _signed(zigzag: int) -> int:
    return (zigzag >> 1) ^ -(zigzag & 1)
