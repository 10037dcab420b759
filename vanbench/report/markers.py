"""The generated block of a document: what is between two markers, checked or written."""

import difflib
from codecs import BOM_UTF8
from pathlib import Path

from vanbench.errors import MarkerError
from vanbench.files import write_atomically
from vanbench.outside.files import read_bytes
from vanbench.outside.text import decode_utf8

BEGIN = "<!-- vanbench:results:begin -->"
END = "<!-- vanbench:results:end -->"
MOST = 5_000_000  # bytes of a document


def replaced(path: Path, block: str) -> tuple[str, str]:
    """The document as it is, and as it should be; MarkerError unless it has both markers once.

    The block gets the line ends of the document, those after its first marker.
    """
    if BEGIN in block or END in block:
        raise MarkerError("the new table holds one of the markers itself", where=path)
    data = read_bytes(path, most=MOST, error=MarkerError)
    mark = "\ufeff" if data.startswith(BOM_UTF8) else ""
    text = mark + decode_utf8(data, where=path, error=MarkerError)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise MarkerError(
            f"expected one line {BEGIN} and, after it, one line {END}; found "
            f"{text.count(BEGIN)} and {text.count(END)}",
            where=path,
            remedy="Put both where the table belongs.",
        )
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    line_end = "\r\n" if rest.startswith("\r\n") else "\n"
    wanted = f"{BEGIN}\n\n{block.strip()}\n\n{END}".replace("\n", line_end)
    return text, f"{before}{wanted}{after}"


def write(path: Path, block: str) -> bool:
    """Put ``block`` between the markers; whether that changed anything."""
    text, wanted = replaced(path, block)
    if text != wanted:
        write_atomically(path, wanted)
    return text != wanted


def difference(path: Path, block: str) -> str:
    """A unified diff from the document as it is to as it should be; empty when it is current."""
    text, wanted = replaced(path, block)
    lines = difflib.unified_diff(
        text.splitlines(), wanted.splitlines(), str(path), f"{path} (from the records)", lineterm=""
    )
    return "\n".join(lines)
