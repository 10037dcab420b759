"""Files from outside: only regular files are opened, and never more than a limit is read."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from vanbench.errors import VanbenchError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


def check_regular(
    path: str | Path, error: type[VanbenchError], *, remedy: str = ""
) -> os.stat_result:
    """The status of a regular file, or of the one that a link leads to; nothing is opened.

    Anything else is an ``error`` that says what it is. Its ``__cause__`` is the OSError, which is a
    FileNotFoundError where nothing is there.
    """
    try:
        found = os.stat(path)
        _refuse_others(found)
    except ValueError as reason:
        raise error("no file can have this name", where=path, remedy=remedy) from reason
    except OSError as reason:
        raise error(_why(reason), where=path, remedy=remedy) from reason
    return found


def read_bytes(
    path: str | Path, *, most: int, error: type[VanbenchError], remedy: str = ""
) -> bytes:
    """The content of a regular file of at most ``most`` bytes; ``error`` for anything else."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= most else b""  # memory for so much is reserved
            if len(data) > size:  # it grows, or has no size, as in /proc
                data += file.read(most + 1 - len(data))
    except OSError as reason:
        raise error(_why(reason), where=path, remedy=remedy) from reason
    if max(size, len(data)) <= most:
        return data
    found = f"{size:,}" if size > most else "more"
    raise error(f"expected at most {most:,} bytes, found {found}", where=path, remedy=remedy)


def open_regular(path: str | Path) -> BufferedReader:
    """A regular file, opened for reading; OSError for anything else, whose ``strerror`` says why.

    A named pipe is not waited for, also when it replaces the file right after the check.
    """
    try:
        _refuse_others(os.stat(path))
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115
    except ValueError as reason:
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from reason
    try:
        _refuse_others(os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_others(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"expected a file, found {kind}")


def _why(reason: OSError) -> str:
    """Why a file cannot be read, without its path."""
    if isinstance(reason, FileNotFoundError):
        return "there is no such file"
    if reason.errno == errno.ELOOP:
        return "cannot be read: a loop of symbolic links"
    if reason.errno == errno.EINVAL:
        return f"{reason.strerror}"
    return f"cannot be read: {reason.strerror or reason}"
