"""The last line of a terminal, which is drawn again and again while work goes on.

``output.echo`` erases it before it prints, so that a message never begins in the middle of it.
"""

import os
import sys
import threading
from contextlib import suppress

import click

ERASE = "\r\x1b[K"  # to the begin of the line, and erase to its end


class _Line:
    """Whether a line is shown now, and the lock for who changes that."""

    def __init__(self) -> None:
        self.lock, self.shown = threading.RLock(), False


_line = _Line()


def draw_status(text: str) -> None:
    """Show this text, which is shorter than the terminal is wide, in place of the one before."""
    with _line.lock:
        _write(ERASE + text)
        _line.shown = True


def erase_status() -> None:
    """Erase the line, if one is shown."""
    with _line.lock:
        if _line.shown:
            _write(ERASE)
            _line.shown = False


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone does not end the work
        click.echo(text, err=True, nl=False, color=True)
        sys.stderr.flush()


def _forget() -> None:
    """Make a new lock in a forked process: another thread may have held the old one."""
    _line.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
