"""Progress on a terminal and elsewhere."""

import io

from rich.console import Console

from tests.cli.test_output import CONTROL, SHOWN
from vanbench.cli import progress_display


def test_progress_shows_nothing_where_stderr_is_no_terminal(capsys):
    with progress_display.progress("checking", unit="images", quiet=False) as update:
        update(1, 2)
        update(2, None, note="note")
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console",
        lambda **_: Console(file=screen, force_terminal=True, width=120),
    )
    with progress_display.progress("checking", unit="images", quiet=False) as update:
        update(3, 4, note="Top-1 75.00")
    assert "checking" in screen.getvalue()
    assert "3/4" in screen.getvalue()
    assert "Top-1 75.00" in screen.getvalue()


def test_the_labels_of_progress_are_no_markup_and_have_no_control_characters(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console",
        lambda **_: Console(file=screen, force_terminal=True, width=160, color_system=None),
    )
    with progress_display.progress(f"[bold]{CONTROL}", unit="images", quiet=False) as update:
        update(3, 4, note=f"[/nothing]{CONTROL}")
    assert f"[bold]{SHOWN}" in screen.getvalue()
    assert f"[/nothing]{SHOWN}" in screen.getvalue()
    assert "\x07" not in screen.getvalue()
    assert "\u202e" not in screen.getvalue()
