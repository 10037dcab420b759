"""Files of ``torch.save``: what they declare, and where their tensors lie. Nothing is run.

``torch.load`` is not used, so no second program can see something else in the file than what was
checked: ``zip_directory`` finds the entries, ``pickle_scan`` reads the content, and the tensors are
made of the bytes that these two name.

There are two containers. Zip (since PyTorch 1.6): ``<name>/data.pkl`` and one stored entry
``<name>/data/<key>`` for each storage. Legacy: five pickles (magic number, protocol, system,
content, storage keys), then for each key the number of elements as int64 and the elements.
"""

import io
import zlib
from collections.abc import Iterable, Mapping
from typing import IO

from vanbench.checkpoints.pickle_scan import scan
from vanbench.checkpoints.pickle_steps import MOST_BYTES
from vanbench.checkpoints.stored import Malformed, Storage, StoredContent
from vanbench.checkpoints.zip_directory import Entry, place_entries, read_directory
from vanbench.errors import CheckpointError
from vanbench.outside.safe_text import for_terminal, shorten

_PIECE = 1 << 20  # bytes that are read at a time
_PROTOCOL = 1001

# Archives that are no state dict, by an entry that they have (a name or its ending): TorchScript,
# torch.export since 2.8 and before, numpy.savez.
_OTHER_ARCHIVES = {
    "constants.pkl": "a TorchScript archive (torch.jit.save), which is a program",
    "archive_format": "a program of torch.export or AOTInductor (.pt2)",
    "serialized_exported_program.json": "a program of torch.export (.pt2)",
    ".npy": "a NumPy archive (.npz)",
}

_Placed = Mapping[str, tuple[Entry, int]]


def read_zip(file: IO[bytes], size: int) -> StoredContent:
    """The content of a zip file of ``size`` bytes. Raises Malformed or CheckpointError."""
    directory = read_directory(file, size)
    _refuse_other_archives(entry.name for entry in directory.entries)
    entries = place_entries(file, directory)
    _check_checksums(file, entries)
    if "data.pkl" not in entries:
        raise Malformed("a zip archive without data.pkl, so not from torch.save")
    content = scan(io.BytesIO(_content(file, entries, "data.pkl", MOST_BYTES)))
    starts = {key: _start(storage, entries) for key, storage in content.storages.items()}
    return StoredContent(content.value, starts, big_endian=_is_big_endian(file, entries))


def read_legacy(file: IO[bytes], size: int) -> StoredContent:
    """The content of a legacy file of ``size`` bytes, whose numbers are always little-endian.

    It cannot be mapped into memory: a number may lie at any place. Raises Malformed or
    CheckpointError.
    """
    file.seek(0)
    _magic, protocol, _system = (scan(file).value for _ in range(3))
    if type(protocol) is not int or protocol != _PROTOCOL:
        raise Malformed(f"a protocol version other than {_PROTOCOL}, the only one")
    content = scan(file)
    keys = scan(file).value
    if (
        type(keys) is not list
        or any(type(key) is not str for key in keys)
        or len(keys) != len(content.storages)
        or set(keys) != content.storages.keys()
    ):
        raise Malformed("a list of storages that differs from those of the tensors")
    starts, at = {}, file.tell()
    for number, key in enumerate(keys, 1):
        storage = content.storages[key]
        end = at + 8 + storage.nbytes
        if end > size:
            place = f"storage {number:,} of {len(keys):,}"
            raise Malformed(f"too few bytes: {size} in the file, which ends in {place}")
        file.seek(at)
        if int.from_bytes(file.read(8), "little") != storage.numel:
            raise Malformed(f"storage {shorten(key)} with another length than declared")
        starts[key], at = at + 8, end
    return StoredContent(content.value, starts, mappable=False)


def _check_checksums(file: IO[bytes], entries: _Placed) -> None:
    """Compare each entry's bytes with the CRC-32 in the directory.

    Reading 240 MB for it takes about 0.1 s. torch writes zeros for all of them after
    ``torch.serialization.set_crc32_options(False)``; there is nothing to compare with then.
    """
    if not any(entry.crc for entry, _ in entries.values()):
        return
    for entry, start in entries.values():
        found = _crc32(file, start, entry.size)
        if found != entry.crc:
            raise CheckpointError(
                f"expected the CRC-32 {entry.crc:08x} for the archive entry "
                f"'{for_terminal(entry.name)}', found {found:08x}: the file is damaged",
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


def _content(file: IO[bytes], entries: _Placed, name: str, most: int) -> bytes:
    entry, start = entries[name]
    if entry.size > most:
        raise Malformed(f"the archive entry {shorten(entry.name)} of {entry.size:,} bytes")
    file.seek(start)
    return file.read(entry.size)


def _start(storage: Storage, entries: _Placed) -> int:
    """Where the bytes of a storage begin."""
    name = f"data/{storage.key}"
    if name not in entries:
        raise Malformed(f"no data for the storage {shorten(storage.key)}")
    entry, start = entries[name]
    if storage.nbytes > entry.size:
        raise Malformed(
            f"a storage {shorten(storage.key)} of {shorten(storage.nbytes)} bytes, for which the "
            f"archive has {entry.size}"
        )
    return start


def _is_big_endian(file: IO[bytes], entries: _Placed) -> bool:
    """The order of bytes that the archive names; torch did not name it before 2.1."""
    order = _content(file, entries, "byteorder", 16) if "byteorder" in entries else b"little"
    if order not in (b"little", b"big"):
        raise Malformed(f"the byte order {shorten(order)}")
    return order == b"big"
