"""What a Parquet file says of its rows and of the sizes of its pages, before anything is read.

A reader allocates what the header of a page says, and a compressed page of a few kilobytes may say
gigabytes. The footer has sizes too, which need not be true. Both are read here, not by Arrow, which
ends the process for some damaged footers when it is asked for these figures.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from vanbench.outside.thrift import read_struct

MAGIC = b"PAR1"
MOST_FOOTER = 1 << 23  # bytes; reading takes a second for one or two MiB
HEADER_BYTES = 1 << 16  # a page header has a few dozen bytes, or more with statistics
CACHED_FOOTERS = 16

# Numbers of fields in parquet.thrift.
_ROW_GROUPS = 4
_COLUMNS, _ROWS = 1, 3
_META_DATA, _PATH, _VALUES, _PACKED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 3, 3, 5, 7, 9, 11
_UNPACKED, _PACKED = 2, 3  # of a page header


@dataclass(frozen=True)
class Chunk:
    """Where the pages of a column are in a row group."""

    start: int
    end: int


@dataclass(frozen=True)
class RowGroup:
    """A row group: its rows, and its columns by their path."""

    rows: int
    chunks: Mapping[str, Chunk]


def row_groups(path: Path) -> Sequence[RowGroup]:
    """The row groups of a file by its footer; ValueError or OSError if it cannot be read."""
    found = path.stat()
    return _row_groups(path, (found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=CACHED_FOOTERS)
def _row_groups(path: Path, state: tuple[int, int]) -> Sequence[RowGroup]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or length > size - 12:
            raise ValueError("there is no footer")
        if length > MOST_FOOTER:
            raise ValueError(
                f"expected a footer of at most {MOST_FOOTER:,} bytes, found {length:,}"
            )
        file.seek(size - 8 - length)
        footer, _ = read_struct(file.read(length))
    try:
        return [_row_group(fields) for fields in footer[_ROW_GROUPS]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the footer is damaged") from error


def _row_group(fields: Mapping[int, object]) -> RowGroup:
    chunks: dict[str, Chunk] = {}
    for column in fields[_COLUMNS]:  # type: ignore[attr-defined]
        about = column[_META_DATA]
        start = min(about[_DATA_PAGE], about.get(_DICTIONARY_PAGE) or about[_DATA_PAGE])
        end = start + about[_PACKED_SIZE] if about[_VALUES] else start
        chunks[b".".join(about[_PATH]).decode("utf-8", "replace")] = Chunk(start, end)
    return RowGroup(int(fields[_ROWS]), chunks)  # type: ignore[call-overload]


def unpacked_bytes(file: BinaryIO, chunk: Chunk) -> int:
    """The bytes that the pages of a column have when they are unpacked.

    ValueError if the pages are not where the footer says.
    """
    return sum(_pages(file, chunk))


def _pages(file: BinaryIO, chunk: Chunk) -> Iterator[int]:
    start, end = chunk.start, chunk.end
    if not 0 <= start <= end <= os.fstat(file.fileno()).st_size:
        raise ValueError("a column is not where the footer says")
    while start < end:
        file.seek(start)
        header, length = read_struct(file.read(min(HEADER_BYTES, end - start)))
        packed, unpacked = header.get(_PACKED), header.get(_UNPACKED)
        if not (
            isinstance(packed, int) and isinstance(unpacked, int) and min(packed, unpacked) >= 0
        ):
            raise ValueError(f"the page at byte {start:,} has no valid size")
        yield unpacked
        start += length + packed
