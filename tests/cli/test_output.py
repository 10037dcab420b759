"""Tables, JSON and progress."""

import io
import json
import sys

import pytest
from rich.console import Console

from vanbench.cli import output


def test_json_is_one_document_with_its_schema(capsys):
    output.print_json(models=[{"top1": None, "name": "vän"}])
    text = capsys.readouterr().out
    assert json.loads(text) == {"schema": 1, "models": [{"top1": None, "name": "vän"}]}
    assert "vän" in text


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.print_json(top1=float("nan"))


def test_json_is_escaped_where_stdout_cannot_encode_it(monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="cp1252"))
    output.print_json(name="van → 图.jpg")
    assert json.loads(content.getvalue().decode("ascii"))["name"] == "van → 图.jpg"


def test_a_table_is_not_cut_where_it_is_piped(capsys):
    cell = "x" * 150
    output.print_table(["model", ">n"], [[cell, "1"]], [["other", "22"]], title="Title")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Title"
    assert any(cell in line for line in lines)
    rows = [line.rstrip() for line in lines if line.rstrip().endswith(("1", "22"))]
    assert len({len(row) for row in rows}) == 1, "numbers are aligned to the right"


def test_a_cell_is_not_markup(capsys):
    output.print_table(["name"], [["[bold]x[/bold]"]])
    assert "[bold]x[/bold]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "style"),
    [("reproduced", "green"), ("deviates by 1", "bold red"), ("not measured", "yellow"), ("1", "")],
)
def test_a_verdict_has_its_colour(cell, style):
    assert output._style(cell) == style


def test_progress_shows_nothing_where_stderr_is_no_terminal(capsys):
    with output.progress("checking", unit="images", quiet=False) as update:
        update(1, 2)
        update(2, None, note="note")
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console",
        lambda **_: Console(file=screen, force_terminal=True, width=120),
    )
    with output.progress("checking", unit="images", quiet=False) as update:
        update(3, 4, note="Top-1 75.00")
    assert "checking" in screen.getvalue()
    assert "3/4" in screen.getvalue()
    assert "Top-1 75.00" in screen.getvalue()
