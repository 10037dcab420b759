"""Files of decoded crops: one process writes a file, any process reads it.

A file begins with a line that names the kind of its crops, and a table with an entry for each of
its slots: the SHA-256 of the encoded image, and a CRC-32 of that hash and the pixels. The crops
follow, uint8 (H, W, 3) each. An entry is written after its crop, so that a process may be killed at
any moment; the CRC-32 shows what a crash of the system left unwritten.

No file has two writers. So nothing is locked, also on a network file system, whose clients may
overwrite their neighbours' bytes in a page of the same file. Crops are read, not mapped: the
processes share the system's page cache either way, and a mapped file that is cut off, or whose disk
fails, ends a process without a message (SIGBUS).
"""

import struct
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vanbench.errors import DataError
from vanbench.outside.files import open_regular

SUFFIX = ".crops"
SLOTS = 256  # in a file: 38 MB of crops of 224
MOST_OPEN = 64  # files that a process has open for reading at once

_ENTRY = struct.Struct(">32sI")  # SHA-256, CRC-32
_EMPTY = bytes(32)
_HEADER = 128  # bytes of the first line, filled up with spaces


@dataclass(frozen=True)
class CropKind:
    """Crops that can be in one file: ``identity`` names all that decides their pixels.

    ``side`` is their height and width.
    """

    identity: str
    side: int

    @property
    def crop_bytes(self) -> int:
        """The size of a crop."""
        return 3 * self.side**2

    @property
    def header(self) -> bytes:
        """The first line of a file."""
        return f"vanbench crops {self.identity} {self.side}".encode().ljust(_HEADER - 1) + b"\n"

    def position(self, slot: int) -> int:
        """Where a crop is in the file."""
        return _HEADER + SLOTS * _ENTRY.size + slot * self.crop_bytes

    def bytes_of(self, crops: int) -> int:
        """The size of the files of so many crops."""
        return crops * self.crop_bytes + -(-crops // SLOTS) * self.position(0)


def crops_in(path: Path, kind: CropKind) -> Mapping[str, int]:
    """SHA-256 (hex) → slot of the crops in a file; none in one that was cut off in its first line.

    DataError for a file that has another first line, OSError for one that cannot be read.
    """
    with open_regular(path) as file:
        start = file.read(kind.position(0))
        size = file.seek(0, 2)
    if not start.startswith(kind.header[: len(start)]):
        raise DataError("expected crops of this protocol and decoder, found other content")
    table = start[_HEADER:]
    entries = _ENTRY.iter_unpack(table[: len(table) // _ENTRY.size * _ENTRY.size])
    return {
        sha256.hex(): slot
        for slot, (sha256, _) in enumerate(entries)
        if sha256 != _EMPTY and kind.position(slot + 1) <= size
    }


class CropReader:
    """Reads crops of a kind, in one process and one thread."""

    def __init__(self, kind: CropKind):
        self._kind = kind
        self._files: dict[Path, BufferedReader] = {}

    def read(self, path: Path, slot: int, sha256: str) -> Tensor | None:
        """The crop (3, side, side) of that image; None if the slot does not have it intact.

        OSError if the file cannot be read.
        """
        file = self._open(path)
        file.seek(_HEADER + slot * _ENTRY.size)
        entry = file.read(_ENTRY.size)
        pixels = np.empty((self._kind.side, self._kind.side, 3), np.uint8)
        file.seek(self._kind.position(slot))
        if file.readinto(pixels.data) < pixels.nbytes or entry != _entry(sha256, pixels):
            return None
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def _open(self, path: Path) -> BufferedReader:
        if path not in self._files:
            if len(self._files) == MOST_OPEN:
                self.close()
            self._files[path] = open_regular(path)
        return self._files[path]

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        for file in self._files.values():
            file.close()
        self._files.clear()


class CropWriter:
    """Writes crops of a kind into new files in a folder, in one process and one thread."""

    def __init__(self, kind: CropKind, folder: Path):
        self._kind, self._folder = kind, folder
        self._file: FileIO | None = None
        self._slot = 0

    def write(self, sha256: str, pixels: Tensor) -> None:
        """Append the crop (3, side, side) of an image; OSError if it cannot be written."""
        crop = pixels.permute(1, 2, 0).contiguous().numpy()
        assert crop.nbytes == self._kind.crop_bytes
        if self._file is None or self._slot == SLOTS:
            self._begin()
        assert self._file is not None
        self._write_at(self._file, self._kind.position(self._slot), crop.tobytes())
        entry = _entry(sha256, crop)
        self._write_at(self._file, _HEADER + self._slot * _ENTRY.size, entry)
        self._slot += 1

    def _begin(self) -> None:
        """Go on in a new file with an empty table."""
        self.close()
        path = self._folder / f"{uuid.uuid4().hex}{SUFFIX}"
        self._file, self._slot = FileIO(path, "x"), 0
        self._write_at(self._file, 0, self._kind.header.ljust(self._kind.position(0), b"\0"))

    @staticmethod
    def _write_at(file: FileIO, position: int, data: bytes) -> None:
        file.seek(position)
        while data:  # a write may end early, such as on a disk that becomes full
            data = data[file.write(data) :]

    def close(self) -> None:
        """Close the file; the next crop begins another."""
        if self._file is not None:
            self._file.close()
        self._file = None


def _entry(sha256: str, crop: npt.NDArray[np.uint8]) -> bytes:
    image = bytes.fromhex(sha256)
    return _ENTRY.pack(image, zlib.crc32(crop.data, zlib.crc32(image)))
