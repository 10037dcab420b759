"""Tables that fit the terminal, in which no name and no number is ever split.

A table that is too wide becomes narrower by these rules, in this order, until it fits: columns of
text wrap between words; optional columns are left out; text wraps more; long names are shortened in
their middle; the table becomes a list, a block of lines for each row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size

WORDS, MIDDLE = "words", "middle"
GAP = "  "
COMFORTABLE = 20  # columns of text that wrap are at least as wide while others can be left out
SHORTEST = 12  # of a name that is shortened

Row = Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    ``title`` starts with ``>`` if the column is aligned to the right. Columns with the highest
    ``drop`` are left out first, those with 0 never. ``fit`` says what may be done to a long cell:
    ``words`` wraps it between words, ``middle`` shortens a name with ``…`` in its middle.
    """

    title: str
    drop: int = 0
    fit: str = ""

    @property
    def heading(self) -> str:
        return self.title.lstrip(">")

    @property
    def align(self) -> Callable[[str, int], str]:
        """What pads a text to a width in terminal columns."""
        return _pad_left if self.title.startswith(">") else set_cell_size


@dataclass(frozen=True)
class Segment:
    """A part of a line, and the whole text of the cell that it is of."""

    text: str
    cell: str = ""


@dataclass
class Table:
    """A table as it is printed: columns with their widths, and the titles of those left out."""

    columns: Sequence[Column]
    groups: Sequence[Sequence[Row]]
    shown: list[int]
    widths: dict[int, int]
    limit: int | None
    dropped: list[str] = field(default_factory=list)

    @property
    def excess(self) -> int:
        """How many terminal columns the table is too wide."""
        if self.limit is None:
            return 0
        width = sum(self.widths[i] for i in self.shown) + len(GAP) * (len(self.shown) - 1)
        return max(0, width - self.limit)

    def lines(self) -> Iterator[list[Segment]]:
        """The printed lines: headings, a rule, the groups of rows with a blank line between."""
        if self.excess:
            yield from self._blocks()
            return
        yield from self._row([column.heading for column in self.columns], wrap=True)
        width = sum(self.widths[i] for i in self.shown) + len(GAP) * (len(self.shown) - 1)
        yield [Segment("─" * width)]
        for number, rows in enumerate(self.groups):
            if number:
                yield []
            for row in rows:
                yield from self._row(row)

    def _row(self, row: Row, *, wrap: bool = False) -> Iterator[list[Segment]]:
        """One row as one line, or several where cells wrap."""
        parts = {i: self._cell(i, row[i], wrap=wrap) for i in self.shown}
        for number in range(max(map(len, parts.values()), default=0)):
            line = []
            for i in self.shown:
                text = parts[i][number] if number < len(parts[i]) else ""
                padded = self.columns[i].align(text, self.widths[i])
                line += [Segment(padded, row[i]), Segment(GAP)]
            yield line[:-1]

    def _cell(self, i: int, cell: str, *, wrap: bool) -> list[str]:
        if wrap or self.columns[i].fit == WORDS:
            return wrap_words(cell, self.widths[i])
        if self.columns[i].fit == MIDDLE:
            return [shorten_middle(cell, self.widths[i])]
        return [cell]

    def _blocks(self) -> Iterator[list[Segment]]:
        """Each row as lines of title and value: what is left for a very narrow terminal."""
        width = max(cell_len(self.columns[i].heading) for i in self.shown)
        room = max(1, (self.limit or 0) - width - len(GAP))
        for number, row in enumerate(row for rows in self.groups for row in rows):
            if number:
                yield []
            for i in self.shown:
                title = self.columns[i].heading
                for text in wrap_words(row[i], room) if row[i] else ():
                    heading = Segment(set_cell_size(title, width))
                    yield [heading, Segment(GAP), Segment(text, row[i])]
                    title = ""


def fit(columns: Sequence[Column], groups: Sequence[Sequence[Row]], limit: int | None) -> Table:
    """The table in at most ``limit`` terminal columns; None is without a limit."""
    shown = list(range(len(columns)))
    natural = {i: _natural(columns[i], [row[i] for rows in groups for row in rows]) for i in shown}
    table = Table(columns, groups, shown, natural, limit)
    texts = {i: _longest_word(rows_of(groups, i)) for i in shown if columns[i].fit == WORDS}
    titles = {i: _longest_word([columns[i].heading]) for i in shown}
    least = {i: max(word, titles[i]) for i, word in texts.items()}
    _shrink(table, {i: max(word, COMFORTABLE) for i, word in least.items()})
    for i in sorted(shown, key=lambda i: (columns[i].drop, i), reverse=True):
        if table.excess and columns[i].drop:
            table.shown.remove(i)
            table.dropped.insert(0, columns[i].heading)
            table.widths.update({j: natural[j] for j in table.shown})
            _shrink(table, {i: max(word, COMFORTABLE) for i, word in least.items()})
    _shrink(table, least)
    names = [i for i in shown if columns[i].fit == MIDDLE]
    _shrink(table, {i: max(SHORTEST, titles[i]) for i in names})
    return table


def rows_of(groups: Sequence[Sequence[Row]], i: int) -> list[str]:
    """The cells of a column."""
    return [row[i] for rows in groups for row in rows]


def wrap_words(text: str, width: int) -> list[str]:
    """The text as lines of at most ``width`` terminal columns; a longer word is a line of its own.

    >>> wrap_words("no word is ever split", 8)
    ['no word', 'is ever', 'split']
    """
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shorten_middle(name: str, width: int) -> str:
    """The name, or its begin and end with ``…`` between them, in ``width`` terminal columns.

    >>> shorten_middle("van-tiny_8xb128_in1k_20220501-385941af.pth", 24)
    'van-tiny_8xb…85941af.pth'
    """
    if cell_len(name) <= width:
        return name
    end = (width - 1) // 2
    tail = name[-end:] if end else ""
    while cell_len(tail) > end:
        tail = tail[1:]
    return set_cell_size(name, width - 1 - cell_len(tail)).rstrip() + "…" + tail


def _natural(column: Column, cells: Sequence[str]) -> int:
    """The width in which no cell wraps, and a title is at most two lines."""
    width = max([*map(cell_len, cells), _longest_word([column.heading])], default=0)
    while len(wrap_words(column.heading, width)) > 2:
        width += 1
    return width


def _longest_word(texts: Sequence[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split(" ")), default=0)


def _shrink(table: Table, least: dict[int, int]) -> None:
    """Make shown columns narrower, the widest first, but not below ``least``."""
    for i in sorted(least, key=lambda i: -table.widths[i]):
        if i in table.shown and table.widths[i] > least[i]:
            table.widths[i] = max(least[i], table.widths[i] - table.excess)


def _pad_left(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text
