"""Pieces of HTML from text that may come from anywhere: each is escaped here, and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from vanbench.outside.safe_text import for_terminal
from vanbench.report.chart_svg import svg_inline
from vanbench.report.charts import Chart, chart_table
from vanbench.report.verdicts import SYMBOLS

LONGEST = 4000  # characters of one text


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller second line, the number that it sorts by, a verdict's word."""

    text: str
    more: str = ""
    number: float | None = None
    verdict: str | None = None
    link: str = ""


def safe(text: str) -> str:
    """A text that HTML shows as it is, also in an attribute; invisible characters as escapes."""
    return escape(for_terminal(text, most=LONGEST))


def paragraph(text: str, style: str = "") -> str:
    """A paragraph."""
    return f'<p class="{style}">{safe(text)}</p>' if style else f"<p>{safe(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """A list; nothing if it is empty."""
    items = "".join(f"<li>{safe(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def verdict_mark(verdict: str, word: str = "") -> str:
    """The symbol and the word of a verdict, in its colour."""
    style = verdict.replace(" ", "-")
    symbol = SYMBOLS.get(verdict, "")
    shown = f'<span aria-hidden="true">{symbol}</span> ' if symbol else ""
    return f'<span class="verdict {safe(style)}">{shown}{safe(word or verdict)}</span>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values; those without a value are left out."""
    items = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>" for name, value in pairs if value
    )
    return f"<dl>{items}</dl>"


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    sortable: bool = False,
) -> str:
    """A table in a box that scrolls sideways; a column whose title begins with ``>`` has numbers.

    The first cell of each row is its heading.
    """
    right = [column.startswith(">") for column in columns]
    titles = [column.removeprefix(">") for column in columns]
    head = "".join(
        f'<th scope="col"{" class=number" if number else ""}>{safe(title)}</th>'
        for title, number in zip(titles, right, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(map(_cell, row, right, [True] + [False] * (len(row) - 1))) + "</tr>"
        for row in rows
    )
    style = ' class="sortable"' if sortable else ""
    label = safe(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table{style}>'
        f"<caption>{label}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: str | Cell, number: bool, heading: bool) -> str:
    cell = Cell(cell) if isinstance(cell, str) else cell
    attributes = " class=number" if number else ""
    if cell.number is not None:
        attributes += f' data-sort="{cell.number:.17g}"'
    content = safe(cell.text)
    if cell.link:
        content = f'<a href="#{safe(cell.link)}">{content}</a>'
    if cell.more:
        content += f'<span class="more">{safe(cell.more)}</span>'
    if cell.verdict:
        content += f'<span class="more">{verdict_mark(cell.verdict)}</span>'
    if heading:
        return f'<th scope="row"{attributes}>{content}</th>'
    return f"<td{attributes}>{content}</td>"


def figure(chart: Chart) -> str:
    """A chart with its title, what is missing, and its numbers as a table that can be opened."""
    headings, cells = chart_table(chart)
    columns = [headings[0], *(f">{heading}" for heading in headings[1:])]
    label = safe(chart.title)
    return (
        f'<figure id="{safe(chart.key)}"><figcaption><h3>{label}</h3>'
        f"{paragraph(chart.description, 'quiet')}</figcaption>"
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{svg_inline(chart)}'
        f"</div>{''.join(paragraph(text, 'quiet') for text in chart.missing)}"
        f"<details><summary>The numbers of this chart</summary>"
        f"{table(chart.title, columns, cells)}</details></figure>"
    )


def section(key: str, title: str, *parts: str) -> str:
    """A section with its heading."""
    content = "\n".join(filter(None, parts))
    return (
        f'<section id="{key}" aria-labelledby="{key}-heading">'
        f'<h2 id="{key}-heading">{safe(title)}</h2>\n{content}</section>'
    )
