"""Tar archives read in place: member offsets are listed once, then images are read by offset."""

import errno
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from vanbench.data.decode import MOST_BYTES
from vanbench.data.layouts.images import Source, is_stray
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError
from vanbench.outside.files import check_regular

Place = tuple[int, int, int]  # which file, offset, size

BLOCK, RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
END_MARKER = 2 * BLOCK  # zeros
CHUNK = 1 << 20
MOST_COMMON_HEADERS = 1000  # ``tarfile`` copies them for each member
MOST_HEADER = 1 << 20  # bytes of a member's headers, such as its name when that is long

# What ``tarfile`` raises for a file that is not a tar, or a damaged one.
BAD_TAR = (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError, IndexError)
_TOO_MANY_DIGITS = re.compile(rb"\d{100}")

COPY_AGAIN = "Copy or download it again."


@dataclass(frozen=True)
class Slices:
    """Images that are byte ranges of larger files."""

    paths: Sequence[Path]
    places: Sequence[Place]

    def read(self, index: int) -> bytes:
        which, offset, size = self.places[index]
        if size > MOST_BYTES:
            raise OSError(f"expected at most {MOST_BYTES:,} bytes, found {size:,}")
        with open(self.paths[which], "rb", buffering=0) as file:
            file.seek(offset)
            content = file.read(size)
        if len(content) < size:
            raise OSError(f"{self.paths[which].name} ends early")
        return content

    def position(self, index: int) -> Place:
        return self.places[index]

    def size(self, index: int) -> int:
        return self.places[index][2]


def slices(paths: Sequence[Path]) -> Callable[[Sequence[Place]], Source]:
    """What makes a source of byte ranges of ``paths``."""
    return partial(Slices, paths)


@dataclass(frozen=True)
class Member:
    """A regular file in a tar."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Members:
    """The regular files in a tar, and what is wrong or worth a note."""

    files: Sequence[Member]
    findings: Sequence[Finding]


def read_members(path: Path) -> Members:
    """The content of an uncompressed tar; DataError where GNU tar reports an error.

    Links, devices and sparse files cannot be read by their offset: they are findings.
    """
    check_regular(path, DataError)
    files, special = [], []
    end = 0  # of the last member; ``tarfile`` goes past headers that it does not understand
    try:
        with (
            open(path, "rb", buffering=0) as raw,
            tarfile.open(fileobj=LimitedHeaders(raw), mode="r:") as archive,
        ):
            for member in in_order(archive):
                if member.isreg() and not member.issparse():
                    files.append(Member(member.name, member.offset_data, member.size))
                elif not member.isdir() and not is_hidden(member.name):
                    special.append(member.name)
                end = archive.offset
        with path.open("rb") as file:
            after = _check_end(file, path, end)
    except BAD_TAR as error:
        reason = "headers of headers" if isinstance(error, RecursionError) else error
        raise DataError(
            f"expected a complete, uncompressed tar archive, and it cannot be read: {reason}",
            where=path,
            remedy=f"{COPY_AGAIN} Decompress a compressed archive first.",
        ) from error
    text = f"{{n}} {{link or special file is|links or special files are}} left out, in {path.name}"
    return Members(files, [*finding("link", special, text), *after])


class LimitedHeaders(io.BufferedReader):
    """A tar file for ``tarfile``, with bounded headers.

    Names and sparse maps may be as long as a header says. ``tarfile`` asks for the position at each
    member.
    """

    def __init__(self, file: io.RawIOBase | io.BytesIO):
        super().__init__(file)
        self._left = MOST_HEADER

    def tell(self) -> int:
        self._left = MOST_HEADER
        return super().tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; tarfile.ReadError for more than headers may have."""
        if size is None or not 0 <= size <= self._left:
            raise tarfile.ReadError("a member has a damaged header, or one that is too long")
        self._left -= size
        content = super().read(size)
        if size > BLOCK and _TOO_MANY_DIGITS.search(content):  # tarfile would take hours
            raise tarfile.ReadError("an extended header has a number that is too long")
        return content


def in_order(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an archive; tarfile.ReadError where one has a negative size.

    ``tarfile`` would go back from it, and never come to an end. The archive keeps no member in
    memory.
    """
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        if member.size < 0 or archive.offset < member.offset_data:
            raise tarfile.ReadError(f"the member at byte {member.offset:,} has a negative size")
        if len(archive.pax_headers) > MOST_COMMON_HEADERS:
            raise tarfile.ReadError("too many headers apply to every member")
        yield member


def _check_end(file: IO[bytes], path: Path, offset: int) -> list[Finding]:
    """Findings about the end of a tar, whose last member ends at ``offset``.

    DataError if something else is there than the end marker, or if more data follow it. What is
    in the same record as the marker is ignored, as GNU tar does.
    """
    file.seek(offset)
    marker = file.read(END_MARKER)
    header = marker[:BLOCK]
    if not header:
        text = f"{path.name} has no end marker: files may be missing at its end"
        return [Finding("no end", 1, (), text)]
    if len(header) < BLOCK:
        raise DataError("the archive ends in the middle of a header", where=path, remedy=COPY_AGAIN)
    if any(header):
        problem = f"the archive has a damaged header at byte {offset:,}"
        raise DataError(problem, where=path, remedy=COPY_AGAIN)
    if any(marker):
        problem = f"the archive has a zero block in the middle, at byte {offset:,}"
        raise DataError(problem, where=path, remedy=COPY_AGAIN)
    next_record = -(-(offset + END_MARKER) // RECORD) * RECORD
    rest_of_record = file.read(next_record - offset - END_MARKER)
    _skip_hole(file)
    while chunk := file.read(CHUNK):
        if any(chunk):
            raise DataError(
                f"the archive has more data after its end at byte {offset:,}",
                where=path,
                remedy="If archives were joined with cat, give each of them by itself, or join "
                "them with tar --concatenate. Otherwise copy or download it again.",
            )
    text = f"{path.name} has data after its end marker, which are ignored"
    return [Finding("after the end", 1, (), text, fault=False)] if any(rest_of_record) else []


def _skip_hole(file: IO[bytes]) -> None:
    """Skip what is not stored because it is zero: a file can have terabytes of it."""
    seek_data = getattr(os, "SEEK_DATA", None)
    if seek_data is None:
        return
    with suppress(OSError):  # a file system without holes
        try:
            file.seek(os.lseek(file.fileno(), file.tell(), seek_data))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            file.seek(0, os.SEEK_END)  # there are no data after this position


def is_hidden(name: str) -> bool:
    """Whether a file in an archive, or a folder that it is in, is hidden or stray."""
    return any(is_stray(part) for part in PurePosixPath(name.removeprefix("./")).parts)
