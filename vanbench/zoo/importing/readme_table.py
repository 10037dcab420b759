"""The tables of models in OpenMMLab's README files, in Markdown."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

from vanbench.errors import ZooError
from vanbench.outside.safe_text import shorten
from vanbench.outside.text import lines_of
from vanbench.zoo.importing.source import Source, SourceModel

LONGEST_LINE = 10_000
COLUMNS = {
    "model": "name",
    "pretrain": "pretrain",
    "resolution": "resolution",
    "params(m)": "params_m",
    "flops(g)": "flops_g",
    "top-1(%)": "top1",
    "top-5(%)": "top5",
    "config": "config",
    "download": "url",
}
"""The headings, without blanks and in lower case, that are read; others are not."""

FIGURES = ("params_m", "flops_g", "top1", "top5")
MISSING = ("", "-", "–", "—", "N/A", "n/a")

_LINK = re.compile(r"\[([^\[\]]*)\]\(\s*<?([^()\s>]+)")
_SPELLED_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()]*)\)")
_CODE_BLOCK = re.compile(r"^```\w*\n(?=@\w)", re.M)
_CELL_END = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`]*)`")
_SECTION = re.compile(r"#+\s+(.*)")


def read_readme(text: str, where: str) -> Source:
    """The models of all tables that have a Model and a Download column; ZooError if none has.

    A line that begins with ``*`` after a table is the note on its models with an asterisk.
    """
    lines = lines_of(text, where=where, error=ZooError, longest=LONGEST_LINE)
    models: list[SourceModel] = []
    for heading, table, after in _tables(lines):
        models += _models(heading, table, _note(after), where)
    if not models:
        columns = "with the columns Model and Download"
        raise ZooError(f"expected a Markdown table {columns}, found none", where=where)
    titles = (match[1] for line in lines if (match := re.fullmatch(r"#\s+(.*)", line.strip())))
    return Source(where, next(titles, "").strip(), tuple(models), _citation(text))


def _tables(lines: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each table's lines, with the heading above it and the lines up to the next heading."""
    heading, number = "", 0
    while number < len(lines):
        line = lines[number].strip()
        if match := _SECTION.fullmatch(line):
            heading = match[1]
        if not line.startswith("|"):
            number += 1
            continue
        end = number
        while end < len(lines) and lines[end].strip().startswith("|"):
            end += 1
        after = []
        for later in lines[end:]:
            if later.lstrip().startswith(("#", "|")):
                break
            after.append(later.strip())
        yield heading, [row.strip() for row in lines[number:end]], after
        number = end


def _models(heading: str, table: list[str], note: str, where: str) -> Iterator[SourceModel]:
    """The models of one table; none if it is about something else."""
    titles = [COLUMNS.get(re.sub(r"\s", "", title).lower(), "") for title in _cells(table[0])]
    if not {"name", "url"} <= set(titles):
        return
    for row in table[2:]:
        cells = _cells(row)
        if len(cells) != len(titles):
            found = f"{len(cells)}: {shorten(row)}"
            raise ZooError(f"expected {len(titles)} cells, found {found}", where=where)
        yield _model(heading, dict(zip(titles, cells, strict=True)), note, where)


def _model(heading: str, cells: dict[str, str], note: str, where: str) -> SourceModel:
    name = _words(cells["name"])
    marked = name.endswith("*")
    return SourceModel(
        name=name.rstrip("* "),
        url=_address(cells["url"], "model", where),
        figures={key: text for key in FIGURES if (text := _words(cells.get(key, "")))},
        dataset=heading,
        resolution=_resolution(_words(cells.get("resolution", "")), where),
        pretrain=_words(cells.get("pretrain", "")),
        config=_address(cells.get("config", ""), "", where),
        note=note if marked else "",
    )


def _cells(row: str) -> list[str]:
    """The cells of a row, in which ``\\|`` is a part of a cell."""
    inner = row.removeprefix("|").rstrip()
    inner = inner[:-1] if _CELL_END.search(inner[-1:]) else inner
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(inner)]


def _words(cell: str) -> str:
    """The text of a cell without links, emphasis and code marks; empty for a dash."""
    text = (
        _CODE.sub(r"\1", _SPELLED_LINK.sub(r"\1", cell)).replace("**", "").replace("\\", "").strip()
    )
    return "" if text in MISSING else text


def _address(cell: str, title: str, where: str) -> str:
    """The target of the link of this title, else of the first one; a relative one is made whole."""
    links = [(match[1].strip(), match[2]) for match in _LINK.finditer(cell)]
    found = next((url for text, url in links if title and text == title), "")
    url = found or (links[0][1] if links and not title else "")
    return urljoin(where, url) if url and "://" in where else url


def _resolution(text: str, where: str) -> int:
    """224 of ``224x224``; 0 for an empty text."""
    if not text:
        return 0
    match = re.fullmatch(r"(\d{1,5})(?:\s*[x×]\s*\1)?", text)
    if match is None:
        raise ZooError(f"expected a square resolution, found {shorten(text)}", where=where)
    return int(match[1])


def _note(after: list[str]) -> str:
    r"""The text of the line ``\*Models with * are …``, with its links in parentheses."""
    line = next((one for one in after if one.startswith(("\\*", "*Models"))), "")
    spelled = _SPELLED_LINK.sub(r"\1 (\2)", line)
    return re.sub(r"\\(?=[*_])", "", spelled).removeprefix("*").strip("*_ ")


def _citation(text: str) -> str:
    """The BibTeX entry in a block of code."""
    match = _CODE_BLOCK.search(text)
    end = text.find("\n```", match.end()) if match else -1
    return text[match.end() : end + 1] if match and end >= 0 else ""
