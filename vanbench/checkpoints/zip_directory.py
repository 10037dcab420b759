"""The directory of a zip archive as ``torch.save`` writes it, read strictly.

Programs that read zip archives differ in what they do with bytes before or behind the archive,
several end records, names twice, and headers that disagree; so one file can show a different
content to each. Here all that could be read in two ways is refused: the entries follow each other
from the first byte on, then the directory, then one end record, which is the end of the file.
"""

import struct
from dataclasses import dataclass
from typing import IO

from vanbench.checkpoints.stored import Malformed
from vanbench.file_types import ZIP_MAGIC
from vanbench.outside.safe_text import is_plain, shorten

MOST_DIRECTORY = 16 << 20  # bytes; that of the largest VAN takes 250,000

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LISTED = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ALL_ONES = 0xFFFFFFFF  # "the number is in the zip64 field"
_ENCRYPTED, _DESCRIPTOR, _UTF8, _LEVEL = 1, 8, 0x800, 6  # bits of an entry's flags


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the directory lists it; ``header`` is where its own header begins."""

    raw_name: bytes
    name: str
    header: int
    size: int
    stored_size: int
    crc: int
    flags: int
    method: int


@dataclass(frozen=True)
class Directory:
    """The directory of an archive and where it begins, which is where the entries end."""

    start: int
    entries: list[Entry]


def read_directory(file: IO[bytes], size: int) -> Directory:
    """The directory of an archive of ``size`` bytes. The entries themselves are not looked at."""
    start, length, count = _find_directory(file, size)
    if length > MOST_DIRECTORY:
        raise Malformed(f"a zip archive with a directory of {length:,} bytes")
    data = _read(file, start, length)
    entries, at = [], 0
    while at < length:
        entry, at = _listed(data, at)
        entries.append(entry)
    if len(entries) != count:
        raise Malformed(f"a zip archive of {count:,} entries, of which {len(entries):,} are listed")
    return Directory(start, entries)


def _find_directory(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """Where the directory begins, how many bytes and how many entries it has."""
    at = size - _END.size
    magic, *disks, listed, count, length, start, comment = _END.unpack(_read(file, at, _END.size))
    if magic != b"PK\x05\x06" or comment:
        raise Malformed("a zip archive without its end: truncated, or something follows it")
    end = at
    if at >= _LOCATOR.size + _END64.size:
        magic, disk, where, total = _LOCATOR.unpack(_read(file, at - _LOCATOR.size, _LOCATOR.size))
        if magic == b"PK\x06\x07":
            end = at - _LOCATOR.size - _END64.size
            wide = _END64.unpack(_read(file, end, _END64.size))
            numbers = (listed, 0xFFFF), (count, 0xFFFF), (length, _ALL_ONES), (start, _ALL_ONES)
            same = all(n in (w, ones) for (n, ones), w in zip(numbers, wide[6:], strict=True))
            if (where, wide[0], wide[1], disk, total) != (end, b"PK\x06\x06", 44, 0, 1) or not same:
                raise Malformed("a zip archive whose end records disagree")
            disks += wide[4:6]
            listed, count, length, start = wide[6:]
    if any(disks) or listed != count or start + length != end:
        raise Malformed("a zip archive whose directory is not where its end record says")
    return start, length, count


def _listed(data: bytes, at: int) -> tuple[Entry, int]:
    """The entry at a place in the directory, and where the next one begins."""
    if len(data) < at + _LISTED.size:
        raise Malformed("a zip archive with a damaged directory")
    (
        magic, _, _, flags, method, _, _, crc, stored_size, size, name_length, extra_length,
        comment_length, disk, _, _, header,
    ) = _LISTED.unpack_from(data, at)  # fmt: skip
    name_end = at + _LISTED.size + name_length
    end = name_end + extra_length
    raw = data[at + _LISTED.size : name_end]
    if magic != b"PK\x01\x02" or comment_length or disk or end > len(data):
        raise Malformed("a zip archive with a damaged directory, or with comments")
    size, stored_size, header = _wide(data[name_end:end], [size, stored_size, header])
    return Entry(raw, _decoded(raw), header, size, stored_size, crc, flags, method), end


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"an archive entry whose name is not UTF-8: {shorten(raw)}") from None


def _wide(extra: bytes, numbers: list[int]) -> list[int]:
    """The numbers of an entry, those that do not fit into 32 bits from its zip64 field."""
    found, at = [], 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            found.append(extra[at + 4 : at + 4 + length])
        at += 4 + length
    wanted = sum(number == _ALL_ONES for number in numbers)
    if at != len(extra) or len(found) > 1 or (wanted and (not found or len(found[0]) < 8 * wanted)):
        raise Malformed("an archive entry with a damaged extra field")
    values = iter(struct.unpack_from(f"<{wanted}Q", found[0]) if wanted else ())
    return [next(values) if number == _ALL_ONES else number for number in numbers]


def place_entries(file: IO[bytes], directory: Directory) -> dict[str, tuple[Entry, int]]:
    """The entries by their names within the one folder of the archive, and where each begins.

    Each lies behind a header that agrees with the directory, and directly behind the one before it.
    """
    placed: dict[str, tuple[Entry, int]] = {}
    seen: set[str] = set()
    end = 0
    for entry in sorted(directory.entries, key=lambda entry: entry.header):
        _check_listed(entry)
        name = entry.name.partition("/")[2]
        if name.lower() in seen:  # torch's reader ignores case
            raise Malformed(f"two archive entries {shorten(entry.name)}")
        seen.add(name.lower())
        if entry.header < end:
            raise Malformed(f"the archive entry {shorten(entry.name)}, which overlaps another")
        _check_no_gap(end, entry.header)
        start = _check_header(file, entry, directory.start)
        end = _behind(file, entry, start + entry.size, directory.start)
        placed[name] = entry, start
    _check_no_gap(end, directory.start)
    if len({entry.name.partition("/")[0] for entry in directory.entries}) != 1:
        raise Malformed("an archive that is not one folder")
    return placed


def _check_no_gap(end: int, start: int) -> None:
    if end != start:
        raise Malformed(f"a zip archive with bytes that belong to no entry, from {end:,} on")


def _check_listed(entry: Entry) -> None:
    name, shown = entry.name, shorten(entry.name)
    parts = name.split("/")
    if len(parts) < 2 or {"", ".", ".."} & set(parts) or "\\" in name or not is_plain(name):
        raise Malformed(f"the archive entry {shown}, which has an unsafe path")
    if entry.method or entry.stored_size != entry.size:
        raise Malformed(
            f"the compressed archive entry {shown} ({entry.stored_size} bytes for {entry.size}); "
            "torch.save compresses nothing"
        )
    if entry.flags & _ENCRYPTED:
        raise Malformed(f"the encrypted archive entry {shown}")
    if entry.flags & ~(_DESCRIPTOR | _UTF8 | _LEVEL):
        raise Malformed(f"the archive entry {shown} with the unknown flags {entry.flags:#x}")


def _check_header(file: IO[bytes], entry: Entry, limit: int) -> int:
    """Where an entry's bytes begin, if its own header agrees with the directory."""
    header = _read(file, entry.header, _LOCAL.size)
    magic, _, flags, method, _, _, *numbers, name_length, extra_length = _LOCAL.unpack(header)
    start = entry.header + _LOCAL.size + name_length + extra_length
    if start + entry.size > limit:
        raise Malformed(f"the archive entry {shorten(entry.name)}, which ends outside of the file")
    later = {0} if flags & _DESCRIPTOR else set()  # the numbers follow the data
    crc, stored_size, size = numbers
    if (
        (magic, flags, method) != (ZIP_MAGIC, entry.flags, entry.method)
        or file.read(name_length) != entry.raw_name
        or crc not in later | {entry.crc}
        or not {stored_size, size} <= later | {entry.size, _ALL_ONES}
    ):
        raise Malformed(
            f"the archive entry {shorten(entry.name)}: header and central directory disagree"
        )
    return start


def _behind(file: IO[bytes], entry: Entry, end: int, limit: int) -> int:
    """Where an entry ends with the copy of its checksum and size that may follow its data."""
    if not entry.flags & _DESCRIPTOR:
        return end
    found = _read(file, end, min(24, limit - end))
    for sizes in (struct.pack("<2Q", entry.size, entry.size), _two_longs(entry.size)):
        for magic in (b"PK\x07\x08", b""):
            descriptor = magic + struct.pack("<L", entry.crc) + sizes
            if found.startswith(descriptor):
                return end + len(descriptor)
    raise Malformed(f"the archive entry {shorten(entry.name)}: its end and the directory disagree")


def _two_longs(size: int) -> bytes:
    return struct.pack("<2L", size & _ALL_ONES, size & _ALL_ONES)


def _read(file: IO[bytes], start: int, size: int) -> bytes:
    """Bytes of the file; Malformed where it does not have them."""
    if start >= 0:
        file.seek(start)
        if len(data := file.read(size)) == size:
            return data
    raise Malformed("a zip archive that is truncated")
