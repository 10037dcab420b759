"""How a long operation reports its progress."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Update(Protocol):
    """Called with how much is done, of how much in total if that is known, and a short note."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None: ...


class Progress(Protocol):
    """Opens a progress display. ``unit`` is ``B`` for bytes, else a word such as ``images``."""

    def __call__(self, label: str, unit: str) -> AbstractContextManager[Update]: ...


def ignore(done: int, total: int | None, note: str = "") -> None:
    """An Update that does nothing."""


def silent(label: str, unit: str) -> AbstractContextManager[Update]:
    """A Progress that shows nothing."""
    return nullcontext(ignore)
