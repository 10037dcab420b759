"""How results show themselves: text for Python's prompt, HTML for a notebook.

Names and messages from outside have no effect on a terminal, and are text in HTML.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len

from vanbench.outside.safe_text import for_terminal
from vanbench.report.verdicts import (
    CLOSE,
    DEVIATES,
    ERRATUM,
    NOT_MEASURED,
    PARTIAL,
    REPRODUCED,
    SYMBOLS,
)

MOST_ROWS = 20  # of a long table that are shown

# Each has a contrast of at least 3:1 to white and to the dark backgrounds of notebooks; words and
# numbers have the notebook's own colour.
_GREEN, _AMBER, _RED, _GREY = "#2a9d5c", "#ad7d0a", "#e0483e", "#808080"
COLOURS = {
    REPRODUCED: _GREEN,
    CLOSE: _GREEN,
    ERRATUM: _AMBER,
    PARTIAL: _AMBER,
    DEVIATES: _RED,
    NOT_MEASURED: _GREY,
}


FLAGS = ("compile", "fresh", "offline", "reference")
_OPTION = re.compile(r"(?<!\S)--([a-z]+(?:-[a-z]+)*)(?: (\d+|[A-Z]{2,}|auto|count-wrong|fp32)\b)?")


@dataclass(frozen=True)
class Cell:
    """A cell with the symbol of a verdict; ``small`` is a second line that only HTML shows."""

    text: str
    verdict: str = ""
    small: str = ""

    @property
    def symbol(self) -> str:
        """The character of the verdict; empty if there is none."""
        return SYMBOLS.get(self.verdict, "")


@dataclass(frozen=True)
class View:
    """What is shown of an object: the answer, a table, and sentences below it.

    A column whose title starts with ``>`` is aligned to the right. Options that a sentence names
    are shown as arguments.
    """

    title: str
    sentence: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Plain text, for Python's prompt and for ``print``."""
        parts = [f"{for_terminal(self.title)}: {for_terminal(self.sentence)}", *self._text_lines()]
        return "\n".join([*parts, *(for_terminal(in_python(note)) for note in self.notes)])

    def _text_lines(self) -> list[str]:
        titles = [_plain(column.removeprefix(">")) for column in self.columns]
        table = [titles, *([_plain(cell) for cell in row] for row in self.rows)]
        widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
        return ["  ".join(map(_padded, self.columns, row, widths)).rstrip() for row in table]

    def html(self) -> str:
        """HTML without scripts, style sheets or links, in the colours of the notebook."""
        head = "".join(
            f'<th scope="col" style="{_align(column)}">{_html(column.removeprefix(">"))}</th>'
            for column in self.columns
        )
        body = "".join(f"<tr>{self._html_row(row)}</tr>" for row in self.rows)
        notes = "".join(f"<li>{_html(in_python(note))}</li>" for note in self.notes)
        return (
            f"<div><p><strong>{_html(self.title)}</strong>: {_html(self.sentence)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{f'<ul>{notes}</ul>' if notes else ''}</div>"
        )

    def _html_row(self, row: Sequence[str | Cell]) -> str:
        first, *others = (
            f' style="{_align(column)}">{_html_cell(cell)}'
            for column, cell in zip(self.columns, row, strict=True)
        )
        return f'<th scope="row"{first}</th>' + "".join(f"<td{cell}</td>" for cell in others)


class Displayed(ABC):
    """An object that shows a View of itself at Python's prompt and in a notebook."""

    @abstractmethod
    def view(self) -> View:
        """What is shown."""

    def __repr__(self) -> str:
        return self.view().text()

    def _repr_html_(self) -> str:
        return self.view().html()


def shortened(rows: Sequence[Sequence[str | Cell]]) -> tuple[Sequence[Sequence[str | Cell]], str]:
    """The first rows of a long table, and a note on how many there are."""
    if len(rows) <= MOST_ROWS:
        return rows, ""
    return rows[:MOST_ROWS], f"{MOST_ROWS} of {len(rows):,} rows; to_frame() has all of them."


def in_python(text: str) -> str:
    """A message with the options of the command line as arguments of the functions.

    >>> in_python("Without --fresh. --workers 4, --on-error count-wrong or a larger --batch-size.")
    'Without fresh=True. workers=4, on_error="count-wrong" or a larger batch_size.'
    """
    return _OPTION.sub(_argument, text)


def _argument(found: re.Match[str]) -> str:
    name, value = found[1].replace("-", "_"), found[2]
    if name in FLAGS:
        return f"{name}=True{f' {value}' if value else ''}"
    if value is None:
        return name
    return f'{name}="{value}"' if value[0].islower() else f"{name}={value}"


def _padded(column: str, text: str, width: int) -> str:
    room = " " * (width - cell_len(text))
    return room + text if column.startswith(">") else text + room


def _plain(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return for_terminal(cell)
    return f"{cell.symbol} {for_terminal(cell.text)}".strip()


def _html_cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return _html(cell)
    mark = ""
    if cell.symbol:
        mark = (
            f'<span aria-hidden="true" style="color:{COLOURS[cell.verdict]}">{cell.symbol}</span>'
        )
    small = f"<br><small>{_html(cell.small)}</small>" if cell.small else ""
    return f"{mark} {_html(cell.text)}{small}".strip()


def _html(text: str) -> str:
    return escape(for_terminal(text))


def _align(column: str) -> str:
    return f"text-align:{'right' if column.startswith('>') else 'left'}"
