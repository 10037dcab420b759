"""What is printed: lines, tables and JSON on stdout, messages on stderr.

Every text passes ``for_terminal`` here, because names, paths and reasons come from files and
servers. Nothing else in vanbench prints, but
``progress_display``. rich decides by itself about colour and width; it respects
NO_COLOR and a non-terminal.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from vanbench.cli.streams import is_unicode
from vanbench.outside.safe_text import for_terminal, is_plain

SCHEMA = 1
MOST = 1_000_000  # characters of a text of several lines
LONGEST = 10_000  # characters of one line


def echo(text: str = "", *, err: bool = False, multiline: bool = False) -> None:
    """Print a text and a line end on stdout, or on stderr.

    Unless ``multiline``, it is one line: a line end in it is shown as an escape.
    """
    most = MOST if multiline else LONGEST
    click.echo(for_terminal(text, most=most, multiline=multiline), err=err)


def print_json(**top: Any) -> None:
    """Print one JSON document on stdout; ``null`` for what is None, never NaN.

    Characters that are not printable are escaped, and where stdout cannot encode every character,
    also those beyond ASCII.
    """
    ascii_only = not is_unicode(sys.stdout)
    document = {"schema": SCHEMA, **top}
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    click.echo("\n".join(map(_json_line, text.split("\n"))))


def _json_line(line: str) -> str:
    """The same JSON with an escape for each character that is not printable."""
    if is_plain(line):
        return line
    return "".join(c if is_plain(c) else json.dumps(c)[1:-1] for c in line)


def print_table(columns: Sequence[str], *groups: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table of one or more groups of rows on stdout, with a rule between the groups.

    A column whose name starts with ``>`` is aligned to the right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heading = Text(for_terminal(title), style="table.title") if title else None
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        justify: Any = "right" if name.startswith(">") else "left"
        table.add_column(Text(name.lstrip(">")), justify=justify, overflow="fold")
    for rows in groups:
        for row in rows:
            table.add_row(*(Text(for_terminal(cell), style=_style(cell)) for cell in row))
        table.add_section()
    # Piped output is for programs and files: as wide as the table is, never cut.
    console = Console(width=None if sys.stdout.isatty() else 200)
    with console.capture() as captured:
        console.print(table)
    click.echo(captured.get(), nl=False, color=console.is_terminal or None)


def _style(cell: str) -> str:
    good, bad = ("reproduced", "verified"), ("deviates", "mismatch", "unreadable", "internal error")
    doubtful = ("close", "erratum", "partial", "not measured", "unreachable", "missing")
    for words, style in ((good, "green"), (bad, "bold red"), (doubtful, "yellow")):
        if cell.startswith(words):
            return style
    return ""
