"""Files from outside: only regular files are opened, and never more than a limit is read."""

import errno
import os
import stat
from pathlib import Path

from vanbench.errors import VanbenchError

_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def check_regular(
    path: str | Path, error: type[VanbenchError], *, remedy: str = ""
) -> os.stat_result:
    """The status of a regular file, or of the one that a link leads to; nothing is opened.

    Anything else is an ``error`` that says what it is. Its ``__cause__`` is the OSError, which is a
    FileNotFoundError where nothing is there.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as reason:
        raise error(_why(reason), where=path, remedy=remedy) from reason
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise error(f"expected a file, found {kind}", where=path, remedy=remedy)
    return found


def read_bytes(
    path: str | Path, *, most: int, error: type[VanbenchError], remedy: str = ""
) -> bytes:
    """The content of a regular file of at most ``most`` bytes; ``error`` for anything else."""
    size = check_regular(path, error, remedy=remedy).st_size
    if size <= most:
        try:
            data = _read(path, most)
        except (OSError, ValueError) as reason:
            raise error(_why(reason), where=path, remedy=remedy) from reason
        if len(data) <= most:
            return data
    found = f"{size:,}" if size > most else "more"
    raise error(f"expected at most {most:,} bytes, found {found}", where=path, remedy=remedy)


def _read(path: str | Path, most: int) -> bytes:
    """Up to one byte more than ``most``; the file may have been replaced since it was checked."""
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file any more")
        pieces, left = [], most + 1
        while left > 0 and (piece := file.read(min(_CHUNK, left))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def _why(reason: OSError | ValueError) -> str:
    """Why a file cannot be read, without its path."""
    if isinstance(reason, FileNotFoundError):
        return "there is no such file"
    if isinstance(reason, OSError):
        if reason.errno == errno.ELOOP:
            return "cannot be read: a loop of symbolic links"
        return f"cannot be read: {reason.strerror or reason}"
    return "cannot be read: no file can have this name"
