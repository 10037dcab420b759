"""Files of ``torch.save``: checked before torch reads them, and read as data.

A ``.pth`` is a pickle, which is a program: ``pickle_scan`` looks through it first, and only
``torch.load(weights_only=True)`` reads it.

There are two containers. Zip (since PyTorch 1.6): ``<name>/data.pkl`` and one stored entry
``<name>/data/<key>`` for each storage. Legacy: five pickles (magic number, protocol, system,
content, storage keys), then for each key the number of elements as int64 and the elements.
"""

import io
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import torch

from vanbench.checkpoints.pickle_scan import GETATTR, LEFTOVERS, Malformed, Storage, scan
from vanbench.errors import CheckpointError
from vanbench.file_types import ZIP_MAGIC, is_zip, printable

_MOST_ENTRIES = 64 << 20  # bytes of a zip's directory
_MOST_PICKLE = 64 << 20
_END = b"PK\x05\x06"
_LOCAL = struct.Struct("<4s5H3I2H")
_PIECE = 1 << 20  # bytes that are read at a time

# Archives that are no state dict, by an entry that they have (a name or its ending): TorchScript,
# torch.export since 2.8 and before, numpy.savez.
_OTHER_ARCHIVES = {
    "constants.pkl": "a TorchScript archive (torch.jit.save), which is a program",
    "archive_format": "a program of torch.export or AOTInductor (.pt2)",
    "serialized_exported_program.json": "a program of torch.export (.pt2)",
    ".npy": "a NumPy archive (.npz)",
}


class Leftover:
    """Stands in for whatever a training framework left beside the tensors, and holds nothing.

    torch's safe unpickler calls it, or sets its state, under the names in
    ``pickle_scan.LEFTOVERS``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "Leftover":
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def load(path: Path, head: bytes) -> Any:
    """What ``torch.save`` wrote, made of plain containers, tensors and Leftovers.

    ``head`` is how the file begins. A zip archive is memory-mapped; the legacy serialisation is
    read into memory once. Raises Malformed or CheckpointError.
    """
    (check_zip if is_zip(head) else check_legacy)(path)
    names = (*LEFTOVERS, GETATTR, "builtins.getattr")  # torch may read the older name as the newer
    stand_ins: list[Any] = [(Leftover, name) for name in names]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip(head))
    except Exception as error:  # of any kind: torch checks little before it fails on damage
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"expected a checkpoint, but torch cannot read it: {reason}",
            remedy="Download it again, and compare its SHA-256 with the published one.",
        ) from error


def check_zip(path: Path) -> None:
    """Raise Malformed or CheckpointError unless torch can read the zip in bounded memory."""
    with path.open("rb") as file:
        _check_directory_size(file, path.stat().st_size)
        try:
            with zipfile.ZipFile(file) as archive:
                _refuse_other_archives(archive.namelist())
                entries = _entries(archive)
                starts = _check_layout(file, entries, path.stat().st_size)
                _check_checksums(file, entries, starts)
                storages = scan(_pickle(file, entries, starts)).storages
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise Malformed(f"a damaged or truncated zip archive ({error})") from error
    for storage in storages.values():
        _check_storage(storage, entries)


def check_legacy(path: Path) -> None:
    """Raise Malformed or CheckpointError unless all that the file declares is in it."""
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        _magic, protocol, _system = (scan(stream).value for _ in range(3))
        if protocol != 1001:
            raise Malformed(f"the protocol version {protocol!r}, where 1001 is the only one")
        storages = scan(stream).storages
        keys = scan(stream).value
        if type(keys) is not list or sorted(map(str, keys)) != sorted(storages):
            raise Malformed("a list of storages that differs from those of the tensors")
        at = stream.tell()
        for number, key in enumerate(keys):
            storage = storages[key]
            if at + 8 + storage.nbytes > size:
                place = f"storage {number + 1} of {len(keys)}"
                raise Malformed(f"too few bytes: {size} in the file, which ends in {place}")
            if int.from_bytes(stream[at : at + 8], "little") != storage.numel:
                raise Malformed(f"storage {key!r} with another length than declared")
            at += 8 + storage.nbytes


def _check_directory_size(file: IO[bytes], size: int) -> None:
    """Bound the list of entries before it is read."""
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise Malformed("a zip archive without its end: truncated")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > _MOST_ENTRIES:
        raise Malformed("a zip archive with too large a directory")


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names within the one folder that torch puts them in."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        _check_entry(info)
        name = info.filename.partition("/")[2].lower()  # torch's zip reader ignores case
        if name in entries:
            raise Malformed(f"two archive entries {info.filename!r}")
        entries[name] = info
    if len({info.filename.partition("/")[0] for info in entries.values()}) != 1:
        raise Malformed("an archive that is not one folder")
    return entries


def _check_entry(info: zipfile.ZipInfo) -> None:
    name = printable(info.orig_filename)
    parts = info.orig_filename.split("/")
    if len(parts) < 2 or {"", ".", ".."} & set(parts) or "\\" in name or name != info.filename:
        raise Malformed(f"the archive entry {name!r}, which has an unsafe path")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise Malformed(
            f"the compressed archive entry {name!r} ({info.compress_size} bytes for "
            f"{info.file_size}); torch.save compresses nothing"
        )
    if info.flag_bits & 1:
        raise Malformed(f"the encrypted archive entry {name!r}")


def _check_layout(
    file: IO[bytes], entries: dict[str, zipfile.ZipInfo], size: int
) -> dict[str, int]:
    """Where each entry's bytes begin.

    They lie in the file, behind a header that agrees with the directory, and in no other entry.
    """
    end, starts = 0, {}
    for key, info in sorted(entries.items(), key=lambda item: item[1].header_offset):
        file.seek(info.header_offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size:
            raise Malformed(f"the archive entry {info.filename!r} outside of the file")
        magic, _, _, method, *_, name_length, extra_length = _LOCAL.unpack(header)
        name = file.read(name_length)
        if magic != ZIP_MAGIC or method or name.decode("utf-8", "replace") != info.filename:
            raise Malformed(
                f"the archive entry {info.filename!r}: header and central directory disagree"
            )
        if info.header_offset < end:
            raise Malformed(f"the archive entry {info.filename!r}, which overlaps another")
        starts[key] = info.header_offset + _LOCAL.size + name_length + extra_length
        end = starts[key] + info.file_size
        if end > size:
            raise Malformed(f"the archive entry {info.filename!r}, which ends outside of the file")
    return starts


def _check_checksums(
    file: IO[bytes], entries: dict[str, zipfile.ZipInfo], starts: dict[str, int]
) -> None:
    """Compare each entry's bytes with the CRC-32 in the directory.

    Reading 240 MB for it takes about 0.1 s. torch writes zeros for all of them after
    ``torch.serialization.set_crc32_options(False)``; there is nothing to compare with then.
    """
    if not any(info.CRC for info in entries.values()):
        return
    for key, info in entries.items():
        found = _crc32(file, starts[key], info.file_size)
        if found != info.CRC:
            raise CheckpointError(
                f"expected the CRC-32 {info.CRC:08x} for the archive entry {info.filename!r}, "
                f"found {found:08x}: the file is damaged",
                cause="damaged: a checksum inside of the file is wrong",
                remedy="Download or copy it again.",
            )


def _crc32(file: IO[bytes], start: int, size: int) -> int:
    file.seek(start)
    crc, left = 0, size
    while piece := file.read(min(_PIECE, left)):
        crc, left = zlib.crc32(piece, crc), left - len(piece)
    return crc


def _refuse_other_archives(names: Iterable[str]) -> None:
    """CheckpointError for an archive that is of another program or kind, named for what it is."""
    last = {name.rpartition("/")[2] for name in names}
    for mark, what in _OTHER_ARCHIVES.items():
        if mark in last or (mark.startswith(".") and any(name.endswith(mark) for name in last)):
            raise CheckpointError(
                f"expected a state dict, found {what}",
                remedy="Save the state_dict of the module with torch.save instead.",
            )


def _pickle(
    file: IO[bytes], entries: dict[str, zipfile.ZipInfo], starts: dict[str, int]
) -> IO[bytes]:
    """The pickle of the content."""
    if "data.pkl" not in entries:
        raise Malformed("a zip archive without data.pkl, so not from torch.save")
    size = entries["data.pkl"].file_size
    if size > _MOST_PICKLE:
        raise Malformed(f"a pickle of {size} bytes")
    file.seek(starts["data.pkl"])
    return io.BytesIO(file.read(size))


def _check_storage(storage: Storage, entries: dict[str, zipfile.ZipInfo]) -> None:
    entry = entries.get(f"data/{storage.key}".lower())
    if entry is None:
        raise Malformed(f"no data for the storage {printable(storage.key)!r}")
    if storage.nbytes > entry.file_size:
        raise Malformed(
            f"a storage {storage.key!r} of {storage.nbytes} bytes, for which the archive has "
            f"{entry.file_size}"
        )
