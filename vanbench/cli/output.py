"""What is printed: tables on stdout, progress on stderr, or JSON instead of both.

rich decides by itself about colour and width; it respects NO_COLOR and a non-terminal.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vanbench.cli.streams import is_unicode

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

SCHEMA = 1


def print_json(**top: Any) -> None:
    """Print one JSON document on stdout; ``null`` for what is None, never NaN.

    Where stdout cannot encode every character, those beyond ASCII are escaped.
    """
    ascii_only = not is_unicode(sys.stdout)
    document = {"schema": SCHEMA, **top}
    click.echo(json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False))


def print_table(columns: Sequence[str], *groups: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table of one or more groups of rows on stdout, with a rule between the groups.

    A column whose name starts with ``>`` is aligned to the right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        justify: Any = "right" if name.startswith(">") else "left"
        table.add_column(name.lstrip(">"), justify=justify, overflow="fold")
    for rows in groups:
        for row in rows:
            table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
        table.add_section()
    # Piped output is for programs and files: as wide as the table is, never cut.
    console = Console(width=None if sys.stdout.isatty() else 200)
    with console.capture() as captured:
        console.print(table)
    click.echo(captured.get(), nl=False, color=console.is_terminal or None)


def _style(cell: str) -> str:
    good, bad = ("reproduced", "verified"), ("deviates", "mismatch", "unreadable")
    doubtful = ("close", "erratum", "partial", "not measured", "unreachable", "missing")
    for words, style in ((good, "green"), (bad, "bold red"), (doubtful, "yellow")):
        if cell.startswith(words):
            return style
    return ""


@contextmanager
def progress(label: str, *, unit: str, quiet: bool) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; yields ``update(done, total, note="")``.

    ``unit`` is ``B`` for bytes, else a word such as ``images``. Nothing shows when ``quiet`` or
    when stderr is no terminal.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        *_columns(unit), console=console, transient=True, disable=quiet or not console.is_terminal
    ) as bar:
        task = bar.add_task(label, total=None, note="", rate="")

        def update(done: int, total: int | None, note: str = "") -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, note=note, rate=rate)

        yield update


def _columns(unit: str) -> "list[ProgressColumn]":
    from rich import progress as p

    amount = (
        [p.DownloadColumn(), p.TransferSpeedColumn()]
        if unit == "B"
        else [p.MofNCompleteColumn(), p.TextColumn("{task.fields[rate]}")]
    )
    left = [p.TextColumn("left"), p.TimeRemainingColumn()]
    label = p.TextColumn("{task.description}")
    return [label, p.BarColumn(), *amount, *left, p.TextColumn("{task.fields[note]}")]
