"""An interruption (Ctrl-C, SIGTERM) that says what is kept and how to go on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Interrupted(KeyboardInterrupt):
    """An interruption; its text says in whole sentences what is kept and how to go on."""


@contextmanager
def keeping(what: Callable[[], str]) -> Iterator[None]:
    """Raise an interruption inside as Interrupted with the text of ``what``.

    Where several are nested, the innermost one knows best what is kept.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(what()) from error


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM interrupt what is inside, as Ctrl-C does: batch systems and CI runners send it.

    Nothing changes in another thread than the main one, whose handlers alone Python can set, or
    where the program has a handler of its own.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def children_ignore_ctrl_c() -> Iterator[None]:
    """Let processes that are started inside ignore Ctrl-C: this one ends them.

    A terminal sends Ctrl-C to all of them, and each would print a traceback. Nothing changes in
    another thread than the main one, or where the program has a handler that Python cannot restore.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not main or before is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
