"""Text files from outside: UTF-8 with or without a byte order mark, with bounded lines."""

import codecs
from pathlib import Path

from vanbench.errors import VanbenchError
from vanbench.outside.files import read_bytes
from vanbench.outside.safe_text import shorten

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_utf8(
    data: bytes, *, where: str | Path | None, error: type[VanbenchError], remedy: str = ""
) -> str:
    """UTF-8 bytes as text, without the byte order mark; ``error`` names the first wrong byte."""
    if data.startswith(_UTF_16):
        problem = "expected UTF-8 text, found UTF-16"
        raise error(problem, where=where, remedy=remedy or "Convert it to UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        line = data.count(b"\n", 0, reason.start) + 1
        found = reason.object[reason.start : reason.start + 1].hex()
        raise error(
            f"expected UTF-8 text, found the byte 0x{found} in line {line:,}",
            where=where,
            remedy=remedy,
        ) from reason


def read_text(path: str | Path, *, most: int, error: type[VanbenchError], remedy: str = "") -> str:
    """The text of a UTF-8 file of at most ``most`` bytes; line ends are left as they are."""
    data = read_bytes(path, most=most, error=error, remedy=remedy)
    return decode_utf8(data, where=path, error=error, remedy=remedy)


def lines_of(
    text: str, *, where: str | Path | None, error: type[VanbenchError], longest: int = 4096
) -> list[str]:
    """The lines of a text without their ends; ``error`` for a line that is no text or too long."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if len(line) > longest or "\0" in line:
            limit = f"at most {longest:,} characters and no NUL"
            raise error(
                f"line {number:,}: expected {limit}, found {len(line):,}: {shorten(line)}",
                where=where,
            )
    return [line.removesuffix("\r") for line in lines]


def read_lines(
    path: str | Path, *, most: int, error: type[VanbenchError], longest: int = 4096
) -> list[str]:
    """The lines of a UTF-8 file of at most ``most`` bytes, without their ends."""
    text = read_text(path, most=most, error=error)
    return lines_of(text, where=path, error=error, longest=longest)
