"""Progress of long operations on stderr: a bar on a terminal, elsewhere a line now and then."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click
from rich.cells import cell_len

from vanbench.cli.status_line import draw_status, erase_status
from vanbench.cli.streams import is_dumb, is_unicode, width_of
from vanbench.cli.tables import shorten_middle
from vanbench.outside.safe_text import for_terminal
from vanbench.progress import Update, duration, ignore

BAR_AFTER = 2.0  # seconds without a bar, so that nothing flashes
BAR_EVERY = 0.2  # seconds between two drawings
LINE_EVERY = 30.0  # seconds between two lines where there is no terminal
TICK = 1.0  # seconds between two looks at the clock while no update comes
WINDOW = 60.0  # seconds whose speed counts

SHORTEST_BAR, LONGEST_BAR = 8, 30
Clock = Callable[[], float]


@contextmanager
def progress(
    label: str, *, unit: str, quiet: bool, clock: Clock = time.monotonic
) -> Iterator[Update]:
    """A progress display on stderr; yields its update.

    ``unit`` is ``B`` for bytes, ``%`` for a share only, else a word such as ``images``. Nothing
    shows when ``quiet``.
    """
    if quiet:
        yield ignore
        return
    display = Display(for_terminal(label), unit, clock)
    with _ticking(display):
        yield display.update
    display.finish()


class Meter:
    """How much is done, how fast, and how long the rest takes."""

    def __init__(self, unit: str) -> None:
        self.unit, self.done, self.note = unit, 0, ""
        self.total: int | None = None
        self.samples: deque[tuple[float, int]] = deque()  # at most one for each second
        self.last = (0.0, 0)

    def update(self, now: float, done: int, total: int | None, note: str) -> None:
        """Take what is known now."""
        if done < self.done:  # it starts again
            self.samples.clear()
        self.done, self.total, self.note, self.last = done, total, note, (now, done)
        if not self.samples or now - self.samples[-1][0] >= 1:
            self.samples.append((now, done))
        while len(self.samples) > 2 and self.samples[1][0] <= now - WINDOW:
            self.samples.popleft()

    @property
    def rate(self) -> float | None:
        """Units per second over the last minute; None while it is not known."""
        if not self.samples:
            return None
        start, before = self.samples[0]
        now, done = self.last
        return (done - before) / (now - start) if now > start and done > before else None

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where the total is not known."""
        return min(1.0, self.done / self.total) if self.total else None

    def amount(self) -> str:
        """Such as ``12,345 of 50,000 images``."""
        if self.unit == "%":
            return f"{100 * (self.share or 0):.0f} %"
        if self.unit == "B":
            of = f" of {_megabytes(self.total)}" if self.total else ""
            return f"{_megabytes(self.done)}{of} MB" if self.done or self.total else ""
        of = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.done:,}{of} {self.unit}"

    def speed(self) -> str:
        """Such as ``24.6 images/s``."""
        rate = self.rate
        if rate is None or self.unit == "%":
            return ""
        if self.unit == "B":
            return f"{_megabytes(rate)} MB/s"
        return f"{rate:.0f} {self.unit}/s" if rate >= 100 else f"{rate:.1f} {self.unit}/s"

    def left(self) -> str:
        """Such as ``25 min left``."""
        rate = self.rate
        if rate is None or self.total is None:
            return ""
        return f"{duration(max(0, self.total - self.done) / rate)} left"


class Display:
    """A meter and when it is shown: ``show`` may be called at any time, from any thread."""

    def __init__(self, label: str, unit: str, clock: Clock) -> None:
        self.label, self.meter, self.clock = label, Meter(unit), clock
        self.lock, self.started = threading.RLock(), clock()
        self.shown = self.started
        self.width = _width_for_a_bar()

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Take what is known now, and show it if it is time to."""
        with self.lock:
            self.meter.update(self.clock(), done, total, for_terminal(note))
        self.show()

    def show(self) -> None:
        """Draw the bar or print a line, if it is time to."""
        with self.lock:
            now = self.clock()
            if self.width is None:
                if now - self.shown >= LINE_EVERY:
                    self.shown = now
                    _print(plain_line(self.label, self.meter))
            elif now - self.started >= BAR_AFTER and now - self.shown >= BAR_EVERY:
                self.shown, self.width = now, _width_for_a_bar() or self.width
                draw_status(bar_line(self.label, self.meter, self.width, _marks()))

    def finish(self) -> None:
        """Print the last line of work that took long and is complete."""
        seconds = self.clock() - self.started
        if self.width is None and seconds >= LINE_EVERY:
            _print(f"{self.label}: {self.meter.amount() or 'done'} in {duration(seconds)}")


@contextmanager
def _ticking(display: Display) -> Iterator[None]:
    """Show the display also while no update comes; erase the bar at the end."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK):
            display.show()

    thread = threading.Thread(target=tick, name="vanbench-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        erase_status()


def plain_line(label: str, meter: Meter) -> str:
    """The line for a log file.

    >>> meter = Meter("images")
    >>> meter.update(0, 0, 1000, "")
    >>> meter.update(30, 300, 1000, "b0 75.00")
    >>> plain_line("validating", meter)
    'validating: 300 of 1,000 images (30 %), 10.0 images/s, 70 s left, b0 75.00'
    """
    share = meter.share
    amount = meter.amount()
    if share is not None and meter.unit != "%":
        amount += f" ({100 * share:.0f} %)"
    parts = [part for part in (amount, meter.speed(), meter.left(), meter.note) if part]
    return f"{label}: {', '.join(parts) or 'working'}"


def bar_line(label: str, meter: Meter, width: int, marks: str = "━─") -> str:
    """The line for a terminal of this width; what has no room is left out, last things first.

    >>> meter = Meter("images")
    >>> meter.update(0, 0, 1000, "")
    >>> meter.update(30, 300, 1000, "b0 75.00")
    >>> bar_line("validating", meter, 60)
    'validating ━━━━━──────────── 300 of 1,000 images, 70 s left'
    """
    label = shorten_middle(label, max(1, width // 3))
    numbers = [meter.amount(), meter.speed(), meter.left()]
    for texts in (
        [*numbers, meter.note],
        numbers,
        [numbers[0], numbers[2]],
        [numbers[0]],
    ):
        text = ", ".join(filter(None, texts))
        room = width - 1 - cell_len(f"{label}  {text}")
        if meter.share is None and room >= 0:
            return f"{label} {text}".rstrip()
        if room >= SHORTEST_BAR:
            return f"{label} {_bar(meter.share or 0, min(room, LONGEST_BAR), marks)} {text}"
    lines = (f"{label} {numbers[0]}", numbers[0], f"{100 * (meter.share or 0):.0f} %")
    return next((line for line in lines if cell_len(line) < width), "")


def _bar(share: float, length: int, marks: str) -> str:
    done = int(share * length)
    return marks[0] * done + marks[1] * (length - done)


def _marks() -> str:
    """What a bar is drawn with: characters that the encoding of stderr has."""
    return "━─" if is_unicode(sys.stderr) else "#."


def _width_for_a_bar() -> int | None:
    """The width of the terminal that stderr is; None if it is none or cannot redraw a line."""
    return None if is_dumb() else width_of(sys.stderr)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f}"


def _print(line: str) -> None:
    with suppress(OSError, ValueError):  # a log that is gone does not end the work
        click.echo(line, err=True)
