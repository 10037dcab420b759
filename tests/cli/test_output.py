"""Lines, tables and JSON."""

import ast
import io
import json
import sys
from pathlib import Path

import pytest

import vanbench
from vanbench.cli import output
from vanbench.progress import BEFORE_UNIT


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
    [
        ("reproduced", {"fg": "green"}),
        ("✗ 1", {"fg": "red", "bold": True}),
        ("not measured", {"fg": "yellow"}),
        ("1", {}),
    ],
)
def test_a_verdict_has_its_colour(cell, style):
    assert output._style(cell) == style


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_on_a_terminal(monkeypatch, *rows, **env):
    """What a table of these rows is on a terminal, with its colour codes."""
    for name, value in ({"TERM": "xterm", "NO_COLOR": "", "COLUMNS": "80"} | env).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    output.print_table(["model", ">Top-1", "verdict"], rows)
    return sys.stdout.getvalue()


def test_only_the_text_of_a_cell_has_a_colour(monkeypatch):
    rows = (["van", "✓ 1", "reproduced"], ["x", "12345678", "close"])
    text = shown_on_a_terminal(monkeypatch, *rows)
    assert "van         \x1b[32m✓ 1\x1b[0m  \x1b[32mreproduced\x1b[0m\n" in text
    assert "x      12345678  \x1b[33mclose\x1b[0m\n" in text
    assert all(line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colour_where_none_is_wanted_or_possible(env, monkeypatch):
    assert "\x1b" not in shown_on_a_terminal(monkeypatch, ["van", "✓ 1", "reproduced"], **env)


@pytest.mark.parametrize("width", range(1, 60))
def test_a_number_and_its_unit_are_in_one_line(width, capsys, monkeypatch):
    monkeypatch.setattr(output, "width_of", lambda stream: width)
    output.echo("  FLOPs 55.28 G, 199.83 M of 16 MB (4 h 50 min), 5 models.")
    lines = capsys.readouterr().out.splitlines()
    for kept in ("55.28 G,", "199.83 M", "16 MB", "(4 h", "50 min),"):
        assert any(kept in line for line in lines)
    assert " ".join(map(str.strip, lines)) == (
        "FLOPs 55.28 G, 199.83 M of 16 MB (4 h 50 min), 5 models."
    )
    longest = max(map(len, lines))
    assert longest <= max(width, len("  50 min),"))


def test_only_a_unit_stays_with_its_number():
    text = "top 5 Mistakes, 3 handles, 7 s/m, 20 GBit"
    assert BEFORE_UNIT.sub("_", text) == text


CONTROL = "a\x1b]0;title\x07\x9b31m\u202eb\x7f\udcff\rc"
SHOWN = r"a\x1b]0;title\x07\x9b31m\u202eb\x7f\xff\rc"


def test_a_line_has_no_control_characters(capsys):
    output.echo(f"{CONTROL}\nError: b")
    output.echo("two\nlines", err=True, multiline=True)
    assert capsys.readouterr() == (f"{SHOWN}\\nError: b\n", "two\nlines\n")


def test_a_table_has_no_control_characters_and_its_title_is_not_markup(capsys):
    output.print_table(["[bold]n[/bold]"], [[CONTROL]], title=f"[red]x[/red] {CONTROL}")
    text = capsys.readouterr().out
    assert "[red]x[/red]" in text
    assert "[bold]n[/bold]" in text
    assert text.count(SHOWN) == 2
    assert all(c.isprintable() or c == "\n" for c in text)


def test_json_escapes_what_is_not_printable(capsys):
    value = {CONTROL: ["\U000e0041 ä 图 \u2028"]}
    output.print_json(value=value)
    text = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "ä 图" in text
    assert json.loads(text)["value"] == value


PRINTING = {"echo", "secho", "echo_via_pager", "print", "Console", "confirm", "prompt"}
PRINTERS = {"output.py", "progress_display.py", "status_line.py"}


def has_our_echo(tree):
    """Whether ``echo`` in a module is that of ``vanbench.cli.output``."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(
        node.module == "vanbench.cli.output" and "echo" in {alias.name for alias in node.names}
        for node in imports
    )


def test_nothing_else_prints():
    """So that no text reaches a terminal without passing ``for_terminal``."""
    found = set()
    for path in Path(vanbench.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        ours = has_our_echo(tree)
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            to_stream = name.startswith(("sys.stdout.write", "sys.stderr.write", "os.write"))
            if to_stream or (name.split(".")[-1] in PRINTING and not (name == "echo" and ours)):
                found.add(path.name)
    assert found == PRINTERS
