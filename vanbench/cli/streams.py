"""stdout and stderr as they are: closed pipes, and encodings that lack some characters."""

import codecs
import errno
import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

STAND_INS = {
    "→": "->", "…": "...", "≥": ">=", "≤": "<=", "≈": "~", "−": "-", "–": "-", "×": "x", "±": "+-",
    "·": "*", "✓": "ok", "✗": "x", "○": "o", "◐": "part", "│": "|", "─": "-",
    "’": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What is printed for a character that the encoding of stdout lacks; others are escaped."""

HANDLER = "vanbench.stand-ins"


@contextmanager
def printable_streams() -> Iterator[None]:
    """Let any text be printed, whatever the encoding; flush at the end, also into closed pipes.

    A pipe or file on Windows is often cp1252, and a file name may hold bytes that are no text.
    """
    codecs.register_error(HANDLER, _stand_in)
    with _streams_that_are_there():
        yield from _printable_streams()


def _printable_streams() -> Iterator[None]:
    before = [(stream, stream.errors) for stream in _streams() if hasattr(stream, "reconfigure")]
    for stream, _ in before:
        stream.reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        discard(broken_streams())
        for stream, errors in before:
            stream.reconfigure(errors=errors)


@contextmanager
def _streams_that_are_there() -> Iterator[None]:
    """Discard what is printed where the caller closed a stream: it is None then (``>&-``)."""
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                null = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.callback(setattr, sys, name, None)
                setattr(sys, name, null)
        yield


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """The error handler: stand-ins, or escapes as in Python."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = (_replace(character) for character in error.object[error.start : error.end])
    return "".join(text), error.end


def _replace(character: str) -> str:
    return STAND_INS.get(character) or character.encode("ascii", "backslashreplace").decode()


def is_unicode(stream: TextIO) -> bool:
    """Whether the stream can encode every character."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that a stream is, None if it is none; COLUMNS comes first."""
    try:
        if not stream.isatty():
            return None
        columns = os.environ.get("COLUMNS", "")
        size = int(columns) if columns.isdecimal() else os.get_terminal_size(stream.fileno())[0]
        return size or None  # some terminals do not know their size
    except (AttributeError, OSError, ValueError):  # closed, or not of the operating system
        return None


def is_dumb() -> bool:
    """Whether the terminal can show no colour and draw no line again."""
    return os.environ.get("TERM") == "dumb"


def is_closed_pipe(error: BaseException) -> bool:
    """Whether an exception means that the reader of stdout or stderr is gone.

    A pipe to another process, such as a worker that has died, gives the same exception.
    """
    closed = (errno.EPIPE, errno.EINVAL) if sys.platform == "win32" else (errno.EPIPE,)
    return isinstance(error, OSError) and error.errno in closed and bool(broken_streams())


def broken_streams() -> list[TextIO]:
    """Which of stdout and stderr cannot be written: a closed pipe, or a full disk."""
    return [stream for stream in _streams() if _is_broken(stream)]


def discard(streams: Iterable[TextIO]) -> None:
    """Redirect these streams to the null device, so that Python's last flush does not fail."""
    for stream in streams:
        with suppress(OSError, ValueError):  # not a file of the operating system
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _streams() -> list[TextIO]:
    """stdout and stderr; a program without a console has none."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def _is_broken(stream: TextIO) -> bool:
    try:
        stream.flush()  # what could not be written is still in the buffer
    except (OSError, ValueError):
        return True
    try:
        return _reader_is_gone(stream.fileno())
    except (OSError, ValueError):  # a stream in memory
        return False


def _reader_is_gone(descriptor: int) -> bool:
    """Whether a pipe has no reader, which an unbuffered stream does not tell."""
    if sys.platform == "win32":
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
