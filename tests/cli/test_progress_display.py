"""Progress on a terminal and elsewhere; the clock is the test's."""

import io
import os
import sys
import time
from contextlib import suppress

import pytest
from rich.cells import cell_len

from tests.cli.test_output import CONTROL, SHOWN
from tests.support.terminal import raw_in_terminal
from vanbench.cli import output, progress_display
from vanbench.cli.progress_display import Display, Meter, bar_line, plain_line, progress


class Clock:
    """Time that goes by when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def on_a_terminal(monkeypatch):
    """A terminal in place of stderr. No fixture: pytest sets stderr between setup and test."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return screen


def into_a_log(monkeypatch):
    """A log file in place of stderr."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def metered(*updates, unit="images"):
    """A meter after these updates: (seconds, done, total, note)."""
    meter = Meter(unit)
    for seconds, done, total, note in updates:
        meter.update(seconds, done, total, note)
    return meter


def drawn(terminal):
    """What was drawn, one text for each drawing."""
    return terminal.getvalue().split("\r\x1b[K")


def test_nothing_flashes_for_work_of_less_than_two_seconds(clock, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    with progress("checking", unit="images", quiet=False, clock=clock) as update:
        for done in range(10):
            clock.now += 0.19
            update(done, 10)
    assert terminal.getvalue() == ""


def test_a_bar_after_two_seconds_that_leaves_no_trace(clock, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    with progress("checking", unit="images", quiet=False, clock=clock) as update:
        update(0, 1000)
        clock.now += 10
        update(250, 1000, note="van_b0 75.00")
        assert drawn(terminal)[-1] == (
            "checking ━━──────── 250 of 1,000 images, 25.0 images/s, 30 s left, van_b0 75.00"
        )
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_bar_is_drawn_also_while_no_update_comes(monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setattr(progress_display, "BAR_AFTER", 0.02)
    monkeypatch.setattr(progress_display, "TICK", 0.01)
    with progress("van_b0", unit="B", quiet=False) as update:
        update(0, None, note="waiting for another process")
        end = time.monotonic() + 10
        while "waiting" not in terminal.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert "van_b0 waiting for another process" in terminal.getvalue()


def test_a_message_begins_on_a_line_of_its_own(clock, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    with progress("checking", unit="images", quiet=False, clock=clock) as update:
        clock.now += 5
        update(1, 2)
        output.echo("Warning: something", err=True)
    assert terminal.getvalue().endswith("images\r\x1b[KWarning: something\n")


def test_where_stderr_is_no_terminal_a_line_every_thirty_seconds_and_a_last_one(clock, monkeypatch):
    log = into_a_log(monkeypatch)
    with progress("validating", unit="images", quiet=False, clock=clock) as update:
        update(100, 1000)
        for done in range(110, 1001, 10):
            clock.now += 1
            update(done, 1000, note="b0 75.00")
    assert log.getvalue().splitlines() == [
        "validating: 400 of 1,000 images (40 %), 10.0 images/s, 60 s left, b0 75.00",
        "validating: 700 of 1,000 images (70 %), 10.0 images/s, 30 s left, b0 75.00",
        "validating: 1,000 of 1,000 images (100 %), 10.0 images/s, 0 s left, b0 75.00",
        "validating: 1,000 of 1,000 images in 90 s",
    ]


def test_short_work_prints_nothing_where_stderr_is_no_terminal(clock, monkeypatch):
    log = into_a_log(monkeypatch)
    with progress("checking", unit="images", quiet=False, clock=clock) as update:
        clock.now += 29
        update(2, 2)
    assert log.getvalue() == ""


def test_work_that_failed_has_no_last_line(clock, monkeypatch):
    log = into_a_log(monkeypatch)
    display = progress("checking", unit="images", quiet=False, clock=clock)
    with suppress(KeyboardInterrupt), display:
        clock.now += 100
        raise KeyboardInterrupt
    assert log.getvalue() == ""


@pytest.mark.parametrize("stderr", [on_a_terminal, into_a_log])
def test_quiet_shows_nothing(stderr, clock, monkeypatch):
    screen = stderr(monkeypatch)
    with progress("checking", unit="images", quiet=True, clock=clock) as update:
        clock.now += 100
        update(1, 2)
    assert screen.getvalue() == ""


def test_a_terminal_that_cannot_redraw_a_line_gets_lines(clock, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with progress("checking", unit="images", quiet=False, clock=clock) as update:
        clock.now += 31
        update(1, 2)
    assert terminal.getvalue().splitlines()[0] == "checking: 1 of 2 images (50 %)"


def test_a_stream_that_is_gone_does_not_end_the_work(clock, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        with progress("checking", unit="images", quiet=False, clock=clock) as update:
            clock.now += 31
            update(1, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), gone.fileno())


def test_the_speed_is_that_of_the_last_minute():
    slow = [(second, second, 1000, "") for second in range(100)]
    fast = [(100 + second, 100 + 5 * second, 1000, "") for second in range(90)]
    assert metered(*slow, *fast).rate == pytest.approx(5)
    assert metered(*slow).left() == "15 min left"


def test_what_was_done_before_is_no_speed():
    meter = metered((0, 12_000, 50_000, ""), (10, 12_100, 50_000, ""))
    assert meter.rate == 10
    assert meter.amount() == "12,100 of 50,000 images"
    assert meter.left() == "63 min left"


def test_a_download_that_starts_again_has_no_negative_speed():
    meter = metered((0, 0, 100, ""), (5, 80, 100, ""), (6, 10, 100, ""), (8, 30, 100, ""), unit="B")
    assert meter.rate == 10


def test_bytes_and_shares():
    meter = metered((0, 0, 16_500_000, ""), (2, 4_000_000, 16_500_000, ""), unit="B")
    assert plain_line("van_b0", meter) == "van_b0: 4.0 of 16.5 MB (24 %), 2.0 MB/s, 6 s left"
    meter = metered((0, 0, None, ""), (2, 4_000_000, None, ""), unit="B")
    assert plain_line("van_b0", meter) == "van_b0: 4.0 MB, 2.0 MB/s"
    meter = metered((0, 0, 800, ""), (60, 200, 800, ""), unit="%")
    assert plain_line("measuring", meter) == "measuring: 25 %, 3 min left"
    assert plain_line("van_b0", Meter("B")) == "van_b0: working"


LONG = metered((0, 0, 50_000, ""), (60, 12_345, 50_000, "b0 75.41  b1 81.01  b2 82.80"))


@pytest.mark.parametrize(
    "label", ["validating", "van-base_8xb128_in1k_20220501-6a4cc31b", "模型" * 9]
)
@pytest.mark.parametrize(
    "meter", [LONG, Meter("B"), metered((0, 3, None, "note"))], ids=["long", "bytes", "note"]
)
def test_no_bar_is_as_wide_as_the_terminal(label, meter):
    for width in range(1, 140):
        assert cell_len(bar_line(label, meter, width)) < width


def test_what_has_no_room_is_left_out():
    assert [bar_line("validating", LONG, width) for width in (120, 80, 60, 40, 30, 20)] == [
        "validating ━━━━━━────────────────────── 12,345 of 50,000 images, 206 images/s, 3 min left, "
        "b0 75.41  b1 81.01  b2 82.80",
        "validating ━━━━────────────── 12,345 of 50,000 images, 206 images/s, 3 min left",
        "validating ━━────────── 12,345 of 50,000 images, 3 min left",
        "validating 12,345 of 50,000 images",
        "12,345 of 50,000 images",
        "25 %",
    ]


def test_an_encoding_without_the_bars_characters(clock, monkeypatch):
    monkeypatch.setattr(Terminal, "encoding", "ascii", raising=False)
    terminal = on_a_terminal(monkeypatch)
    display = Display("checking", "images", clock)
    clock.now += 5
    display.update(1, 2)
    assert "checking ###############" in terminal.getvalue()


def test_labels_and_notes_have_no_control_characters(clock, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")
    with progress(f"a{CONTROL}", unit="images", quiet=False, clock=clock) as update:
        clock.now += 5
        update(3, 4, note=f"b{CONTROL}")
    assert f"a{SHOWN}" in terminal.getvalue()
    assert f"b{SHOWN}" in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()
    assert "\u202e" not in terminal.getvalue()


SCRIPT = """
import time
from vanbench.cli import progress_display
from vanbench.cli.output import echo
progress_display.BAR_AFTER = 0.05
with progress_display.progress("validating", unit="images", quiet=False) as update:
    for done in range(0, 50_001, 10_000):
        update(done, 50_000, "van_b0 75.41")
        time.sleep(0.21)
    echo("a message", err=True)
    update(50_000, 50_000)
    time.sleep(0.21)
    update(50_000, 50_000)
print("the answer")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [30, 60, 80, 120])
def test_a_real_terminal_shows_one_line_that_is_erased(columns):
    text = raw_in_terminal([sys.executable, "-c", SCRIPT], columns)
    bars = [part for part in text.split("\r\x1b[K") if "of 50,000 images" in part]
    assert len(bars) >= 4
    assert all(cell_len(bar) < columns and "\n" not in bar for bar in bars)
    assert text.count("\r\n") == 2
    assert text.endswith("\r\x1b[Kthe answer\r\n")
    assert "\r\x1b[Ka message\r\n" in text
