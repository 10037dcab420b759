"""TOML from outside: size, depth and digits are bounded before Python's parser sees the text."""

import re
import tomllib
from pathlib import Path
from typing import Any

from vanbench.errors import VanbenchError
from vanbench.outside.safe_text import shorten
from vanbench.outside.text import read_text

DEPTH = 32  # tables and lists inside each other
LONGEST = 300  # characters of a number or of a key without quotes

_STRINGS = (
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?',
    r"'''(?:[^']++|'(?!''))*+(?:'{3,5})?",
    r'"(?:[^"\\\n]++|\\[^\n])*+"?',
    r"'[^'\n]*+'?",
)
_TOKEN = re.compile(
    rf"(?:#[^\n]*+|{'|'.join(_STRINGS)})|([\[{{])|([\]}}])|(\.)|([=,\n])|([\w+-]++)", re.DOTALL
)


def parse_toml(
    text: str,
    *,
    where: str | Path | None,
    error: type[VanbenchError],
    what: str = "TOML file",
    remedy: str = "",
    depth: int = DEPTH,
    longest: int = LONGEST,
) -> dict[str, Any]:
    """The table of a TOML text; ``error`` with ``not a readable {what}: …`` for anything else."""
    try:
        check_toml(text, depth=depth, longest=longest)
        return tomllib.loads(text)
    except ValueError as reason:
        problem = f"not a readable {what}: {reason}"
        raise error(problem, where=where, remedy=remedy) from reason


def read_toml(
    path: str | Path,
    *,
    most: int,
    error: type[VanbenchError],
    what: str = "TOML file",
    remedy: str = "",
) -> dict[str, Any]:
    """The table of a TOML file of at most ``most`` bytes; see ``parse_toml``."""
    text = read_text(path, most=most, error=error, remedy=remedy)
    return parse_toml(text, where=path, error=error, what=what, remedy=remedy)


def check_toml(text: str, *, depth: int = DEPTH, longest: int = LONGEST) -> None:
    """Raise ValueError for a text that is nested too deeply, or that has too long a number.

    A key ``a.b.c`` is nested too: its dots are counted.
    """
    level = dots = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastindex
        if kind is None:
            continue
        level += {1: 1, 2: -1}.get(kind, 0)
        dots = dots + 1 if kind == 3 else dots if kind == 5 else 0
        if level > depth or dots > depth:
            raise ValueError(f"nested more than {depth} deep in line {_line(text, match)}")
        if kind == 5 and len(match[0]) > longest:
            raise ValueError(
                f"a number or key of more than {longest} characters in line "
                f"{_line(text, match)}: {shorten(match[0], 40)}"
            )


def _line(text: str, match: re.Match[str]) -> str:
    return f"{text.count(chr(10), 0, match.start()) + 1:,}"
