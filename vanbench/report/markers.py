"""The generated blocks of a document: what is between two markers, checked or written.

Every document has the markers of the results. Those of the costs and of the claims are optional.
"""

import difflib
from codecs import BOM_UTF8
from itertools import pairwise
from pathlib import Path

from vanbench.errors import MarkerError
from vanbench.files import write_atomically
from vanbench.outside.files import read_bytes
from vanbench.outside.text import decode_utf8

BEGIN = "<!-- vanbench:results:begin -->"
END = "<!-- vanbench:results:end -->"
COSTS_BEGIN = "<!-- vanbench:costs:begin -->"
COSTS_END = "<!-- vanbench:costs:end -->"
CLAIMS_BEGIN = "<!-- vanbench:claims:begin -->"
CLAIMS_END = "<!-- vanbench:claims:end -->"
MARKERS = (BEGIN, END, COSTS_BEGIN, COSTS_END, CLAIMS_BEGIN, CLAIMS_END)
MOST = 5_000_000  # bytes of a document


def has_costs(path: Path) -> bool:
    """Whether the document has a marker of the costs."""
    text = _read(path)
    return COSTS_BEGIN in text or COSTS_END in text


def has_claims(path: Path) -> bool:
    """Whether the document has a marker of the claims."""
    text = _read(path)
    return CLAIMS_BEGIN in text or CLAIMS_END in text


def replaced(
    path: Path, results: str, costs: str | None = None, claims: str | None = None
) -> tuple[str, str]:
    """The document as it is, and as it should be; MarkerError unless it has both markers once.

    ``costs`` and ``claims`` None leave what is between their markers. The blocks get the line ends
    of the document, those after the first marker of the results.
    """
    text = _read(path)
    blocks = [_place(path, text, BEGIN, END, results)]
    if costs is not None:
        blocks.append(_place(path, text, COSTS_BEGIN, COSTS_END, costs))
    if claims is not None:
        blocks.append(_place(path, text, CLAIMS_BEGIN, CLAIMS_END, claims))
    blocks.sort()
    if any(one[1] > other[0] for one, other in pairwise(blocks)):
        raise MarkerError("two of the generated blocks overlap", where=path)
    line_end = "\r\n" if text.partition(BEGIN)[2].startswith("\r\n") else "\n"
    wanted = text
    for start, end, block in reversed(blocks):
        wanted = wanted[:start] + block.replace("\n", line_end) + wanted[end:]
    return text, wanted


def _place(path: Path, text: str, begin: str, end: str, block: str) -> tuple[int, int, str]:
    """Where a block starts and ends in the document, with its markers, and what belongs there."""
    if any(marker in block for marker in MARKERS):
        raise MarkerError("the new block holds one of the markers itself", where=path)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise MarkerError(
            f"expected one line {begin} and, after it, one line {end}; found "
            f"{text.count(begin)} and {text.count(end)}",
            where=path,
            remedy="Put both where the block belongs.",
        )
    wanted = "\n\n".join(filter(None, (begin, block.strip(), end)))
    return text.index(begin), text.index(end) + len(end), wanted


def _read(path: Path) -> str:
    data = read_bytes(path, most=MOST, error=MarkerError)
    mark = "\ufeff" if data.startswith(BOM_UTF8) else ""
    return mark + decode_utf8(data, where=path, error=MarkerError)


def write(path: Path, results: str, costs: str | None = None, claims: str | None = None) -> bool:
    """Put the blocks between their markers; whether that changed anything."""
    text, wanted = replaced(path, results, costs, claims)
    if text != wanted:
        write_atomically(path, wanted)
    return text != wanted


def difference(
    path: Path, results: str, costs: str | None = None, claims: str | None = None
) -> str:
    """A unified diff from the document as it is to as it should be; empty when it is current."""
    text, wanted = replaced(path, results, costs, claims)
    lines = difflib.unified_diff(
        text.splitlines(), wanted.splitlines(), str(path), f"{path} (from the records)", lineterm=""
    )
    return "\n".join(lines)
