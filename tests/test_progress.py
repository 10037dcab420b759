"""The progress display that shows nothing, exceptions of a caller's display, durations."""

from contextlib import contextmanager

import pytest

from vanbench.errors import unexpected_as_errors
from vanbench.progress import (
    duration,
    guarded_progress,
    ignore,
    in_number,
    raising_callers_errors,
    silent,
)


def test_silent_accepts_what_every_display_does(capsys):
    with silent("checking", "images") as update:
        update(1, 2)
        update(2, None, note="note")
        update(3, 4, "note")
    ignore(1, None)
    assert capsys.readouterr() == ("", "")


@contextmanager
def failing(label, unit):
    def update(done, total, note=""):
        raise ZeroDivisionError(f"{label} {done}")

    yield update


def test_an_exception_of_the_callers_display_passes_every_handler():
    display = guarded_progress(failing)("checking", "images")
    expected = pytest.raises(ZeroDivisionError, match="checking 1")
    with expected, raising_callers_errors(), unexpected_as_errors(), display as update:
        update(1, 2)


def test_other_exceptions_are_handled_as_before():
    display = guarded_progress(silent)("checking", "images")
    with pytest.raises(ValueError, match="ours"), raising_callers_errors(), display:
        raise ValueError("ours")


def test_guards_may_be_nested():
    display = guarded_progress(guarded_progress(failing))("checking", "images")
    inner, outer = raising_callers_errors(), raising_callers_errors()
    with pytest.raises(ZeroDivisionError), outer, inner, display as update:
        update(1, 2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (5399, "90 min"), (5400, "1 h 30 min"),
     (7200, "2 h"), (17400, "4 h 50 min"), (172_800, "2 days"), (200_000, "2 days 8 h")],
)  # fmt: skip
def test_durations_have_the_digits_of_an_estimate(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1 file is here, in {n}{a|b}"), (2, "2 files are here, in {n}{a|b}"),
     (0, "0 files are here, in {n}{a|b}"), (1200, "1,200 files are here, in {n}{a|b}")],
)  # fmt: skip
def test_words_agree_with_their_number_and_a_name_stays_as_it_is(number, words):
    assert in_number(number, "{n} {file is|files are} here, in {n}{a|b}") == words
