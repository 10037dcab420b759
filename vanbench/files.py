"""Files: their SHA-256, and writing them completely or not at all."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vanbench.outside.files import open_regular

_WINDOWS = os.name == "nt"
_PIECE = 1 << 20  # bytes of a file in memory at once


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    return hash_file(path).sha256


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the content of ``path``, completely or not at all.

    A text is written in UTF-8, with its line ends as they are. An existing file keeps its
    permissions; a new one gets those of a file that ``open`` creates. A symbolic link stays: its
    target is written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / path.name
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        replace(temporary, path)


def replace(source: Path, target: Path) -> None:
    """``os.replace``; on Windows it waits up to a second for a program that has the target open."""
    for pause in (0.01, 0.05, 0.2, 0.7):
        try:
            return os.replace(source, target)
        except PermissionError:
            if not _WINDOWS:
                raise
            time.sleep(pause)
    os.replace(source, target)


@dataclass(frozen=True)
class HashedFile:
    """A file whose content was hashed; ``state`` tells whether it changed since."""

    path: Path
    sha256: str
    bytes: int
    state: tuple[int, int, int, int]

    def is_unchanged(self) -> bool:
        """Whether the file at the path is still the one that was hashed, as far as its size,
        inode and modification time tell.
        """
        try:
            return self.state == _state(os.stat(self.path))
        except OSError:
            return False


def hash_file(path: Path, progress: Callable[[int, int], None] | None = None) -> HashedFile:
    """Hash a file in pieces; OSError if it cannot be read, or if it is a device or a named pipe.

    ``progress`` is called with how many bytes are done, and of how many.
    """
    state = _state(os.stat(path))  # not fstat: on Windows it may give another device number
    digest, done, piece = hashlib.sha256(), 0, bytearray(_PIECE)
    with open_regular(path) as file:
        while count := file.readinto(piece):
            digest.update(memoryview(piece)[:count])
            done += count
            if progress:
                progress(done, state[2])
    return HashedFile(path, digest.hexdigest(), state[2], state)


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
