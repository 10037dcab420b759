"""What is printed: lines, tables and JSON on stdout, messages on stderr.

Every text passes ``for_terminal`` here, because names, paths and reasons come from files and
servers. Nothing else in vanbench prints, but ``progress_display``. Colour is used on a terminal
only, and not where NO_COLOR is set or TERM is ``dumb``.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from vanbench.cli.status_line import erase_status
from vanbench.cli.streams import is_dumb, is_unicode, width_of
from vanbench.cli.tables import Column, Segment, fit, wrap_words
from vanbench.outside.safe_text import for_terminal, is_plain
from vanbench.progress import BEFORE_UNIT

SCHEMA = 1
PRINTED = "vanbench.printed_json"  # the key in click's context for: a document was printed
MOST = 1_000_000  # characters of a text of several lines
LONGEST = 10_000  # characters of one line
GLUE = "\ue000"  # one column wide, and in no text that passed for_terminal


def echo(text: str = "", *, err: bool = False, multiline: bool = False, wrap: bool = True) -> None:
    """Print a text and a line end on stdout, or on stderr.

    Unless ``multiline``, it is one line: a line end in it is shown as an escape. On a terminal,
    lines that are too long are wrapped between words, with the indent of their first line. A number
    and its unit stay in one line.
    """
    most = MOST if multiline else LONGEST
    safe = for_terminal(text, most=most, multiline=multiline)
    width = width_of(sys.stderr if err else sys.stdout) if wrap else None
    lines = safe.split("\n")
    erase_status()
    click.echo("\n".join(_wrapped(line, width) for line in lines) if width else safe, err=err)


def _wrapped(line: str, width: int) -> str:
    text = line.lstrip(" ")
    indent = line[: len(line) - len(text)]
    parts = wrap_words(BEFORE_UNIT.sub(GLUE, text), max(1, width - len(indent)))
    return "\n".join(indent + part for part in parts).replace(GLUE, " ")


def print_json(**top: Any) -> None:
    """Print one JSON document on stdout; ``null`` for what is None, never NaN.

    Characters that are not printable are escaped, and where stdout cannot encode every character,
    also those beyond ASCII.
    """
    if context := click.get_current_context(silent=True):
        context.meta[PRINTED] = True
    ascii_only = not is_unicode(sys.stdout)
    document = {"schema": SCHEMA, **top}
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    click.echo("\n".join(map(_json_line, text.split("\n"))))


def _json_line(line: str) -> str:
    """The same JSON with an escape for each character that is not printable."""
    if is_plain(line):
        return line
    return "".join(c if is_plain(c) else json.dumps(c)[1:-1] for c in line)


def print_table(
    columns: Sequence[str | Column], *groups: Sequence[Sequence[str]], title: str = ""
) -> None:
    """Print a table of one or more groups of rows on stdout, with a rule between the groups.

    A column is a ``Column`` or just its title. On a terminal the table fits its width by the rules
    of ``vanbench.cli.tables``; elsewhere it is as wide as it needs to be.
    """
    safe = [[[for_terminal(cell) for cell in row] for row in rows] for rows in groups]
    headings = [column if isinstance(column, Column) else Column(column) for column in columns]
    table = fit(headings, safe, width_of(sys.stdout))
    if title:
        echo(title)
    for line in table.lines():
        click.echo("".join(map(_styled, line)).rstrip())
    if table.dropped:
        echo(f"Not shown at this width: {', '.join(table.dropped)}.")
    echo()


def _styled(segment: Segment) -> str:
    """The text in the colour of its cell's verdict, which click removes where it is piped.

    The blanks around it have none, so that those at the end of a line can be removed.
    """
    text = segment.text.strip()
    style = {} if os.environ.get("NO_COLOR") or is_dumb() else _style(segment.cell)
    if not (text and style):
        return segment.text
    return segment.text.replace(text, click.style(text, **style))


def _style(cell: str) -> dict[str, Any]:
    """The colour of a verdict, by its word or symbol; the text itself says the same."""
    good = ("reproduced", "verified", "✓")
    bad = ("deviates", "mismatch", "unreadable", "internal error", "✗")
    doubtful = ("close", "erratum", "partial", "not measured", "unreachable", "missing")
    styles: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
        (good, {"fg": "green"}),
        (bad, {"fg": "red", "bold": True}),
        ((*doubtful, "≈", "!", "◐", "○"), {"fg": "yellow"}),
    )
    return next((style for words, style in styles if cell.startswith(words)), {})
