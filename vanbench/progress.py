"""How a long operation reports its progress, and how amounts are written."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ParamSpec, Protocol

P = ParamSpec("P")

MINUTE, HOUR, DAY = 60, 3600, 86400
BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[kMG]?B|M|G|%|days?|h|min|m?s|images/s|points?)(?![\w/]))")
"""The space between a number and its unit, at which no line is to end."""
_FORMS = re.compile(r"\{([^{|}]*)\|([^{|}]*)\}")


class Update(Protocol):
    """Called with how much is done, of how much in total if that is known, and a short note.

    The first call may say what was done before; what comes after it shows the speed.
    """

    def __call__(self, done: int, total: int | None, note: str = "") -> None: ...


class Progress(Protocol):
    """Opens a progress display.

    ``unit`` is ``B`` for bytes, ``%`` for a share whose parts have no number, else a word in the
    plural such as ``images``.
    """

    def __call__(self, label: str, unit: str) -> AbstractContextManager[Update]: ...


def ignore(done: int, total: int | None, note: str = "") -> None:
    """An Update that does nothing."""


def silent(label: str, unit: str) -> AbstractContextManager[Update]:
    """A Progress that shows nothing."""
    return nullcontext(ignore)


class _RaisedByCaller(BaseException):
    """An exception of a caller's function, which no handler of this package is to catch."""

    def __init__(self, error: Exception):
        super().__init__(error)
        self.error = error


@contextmanager
def raising_callers_errors() -> Iterator[None]:
    """Raise what a ``guarded`` function raised inside, whatever handlers were between."""
    try:
        yield
    except _RaisedByCaller as raised:
        error = raised.error
    else:
        return
    raise error


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """A caller's function whose exceptions pass every handler up to ``raising_callers_errors``."""

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            raise _RaisedByCaller(error) from error

    return call


def guarded_progress(progress: Progress) -> Progress:
    """A caller's progress display whose exceptions pass every handler, as with ``guarded``."""

    @contextmanager
    def display(label: str, unit: str) -> Iterator[Update]:
        with progress(label, unit) as update:
            yield guarded(update)

    return display


def duration(seconds: float) -> str:
    """A duration in words, with as many digits as an estimate deserves.

    >>> [duration(s) for s in (0.4, 75, 750, 17400, 270000)]
    ['0 s', '75 s', '12 min', '4 h 50 min', '3 days 3 h']
    """
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        hours, minutes = divmod(round(seconds / MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / HOUR), 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def size_of(count: int) -> str:
    """A number of bytes in the unit that fits; 1 kB is 1,000 bytes.

    >>> size_of(0), size_of(16_400), size_of(183_000_000), size_of(1_250_000_000)
    ('0 B', '16.4 kB', '183 MB', '1.25 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            value = count / factor
            return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"
    return f"{count} B"


def counted(number: int, noun: str) -> str:
    """A number of things, such as ``1 file`` and ``1,234 files``.

    >>> counted(1, "file"), counted(1234, "file")
    ('1 file', '1,234 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_number(number: int, text: str) -> str:
    """The text with its first ``{n}`` as the number and its first ``{one|many}`` as what agrees.

    >>> in_number(1, "{n} {file is|files are} empty"), in_number(2, "{n} {file is|files are} empty")
    ('1 file is empty', '2 files are empty')
    """
    text = _FORMS.sub(r"\1" if number == 1 else r"\2", text, count=1)
    return text.replace("{n}", f"{number:,}", 1)
