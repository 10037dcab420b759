"""JSON from outside: size, depth and digits are bounded before Python's parser sees the text."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vanbench.errors import VanbenchError
from vanbench.outside.files import read_bytes
from vanbench.outside.safe_text import shorten
from vanbench.outside.text import decode_utf8

DEPTH = 64  # lists and objects inside each other
DIGITS = 300  # characters of a number; such an integer fits into a float

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(
    text: str | bytes,
    *,
    where: str | Path | None,
    error: type[VanbenchError],
    what: str = "JSON document",
    remedy: str = "",
    depth: int = DEPTH,
    digits: int = DIGITS,
    strict: bool = True,
) -> Any:
    """The value of a JSON text; ``error`` with ``not a readable {what}: …`` for anything else.

    Bytes are UTF-8, with or without a byte order mark. ``strict`` also refuses what JSON leaves
    open: a key that an object has twice, NaN and infinities, numbers beyond a float, and half
    surrogate pairs. Without it they are as Python's ``json`` has them.
    """
    if isinstance(text, bytes):
        text = decode_utf8(text, where=where, error=error, remedy=remedy)
    try:
        return bounded_json(text, depth=depth, digits=digits, strict=strict)
    except ValueError as reason:
        raise error(f"not a readable {what}: {reason}", where=where, remedy=remedy) from reason


def read_json(
    path: str | Path,
    *,
    most: int,
    error: type[VanbenchError],
    what: str = "JSON document",
    remedy: str = "",
    depth: int = DEPTH,
    digits: int = DIGITS,
    strict: bool = True,
) -> Any:
    """The value of a JSON file of at most ``most`` bytes; see ``parse_json``."""
    return parse_json(
        read_bytes(path, most=most, error=error, remedy=remedy),
        where=path,
        error=error,
        what=what,
        remedy=remedy,
        depth=depth,
        digits=digits,
        strict=strict,
    )


def bounded_json(
    text: str,
    *,
    depth: int = DEPTH,
    digits: int = DIGITS,
    values: int | None = None,
    strict: bool = True,
) -> Any:
    """The same for a caller with an error of its own: ValueError says what is wrong.

    ``values`` bounds how many values and keys there are, where each costs more than memory.
    """
    _check(text, depth, digits)
    if values is not None and text.count(",") >= values:
        found = _STRING.sub("", text).count(",") + 1
        if found > values:
            raise ValueError(f"expected at most {values:,} values, found {found:,}")
    try:
        return _strictly(text) if strict else json.loads(text)
    except json.JSONDecodeError as reason:
        place = f"line {reason.lineno:,}, column {reason.colno:,}"
        raise ValueError(f"{reason.msg} in {place}") from reason


def _check(text: str, depth: int, digits: int) -> None:
    """Raise ValueError for a text that is nested too deeply, or that has too long a number."""
    level = 0
    for match in re.finditer(_token(digits), text):
        if match.lastindex == 1:
            level += 1
            if level > depth:
                raise ValueError(f"nested more than {depth} deep")
        elif match.lastindex == 2:
            level -= 1
        elif match.lastindex == 3:
            raise ValueError(f"a number of more than {digits} characters: {shorten(match[0], 40)}")


def _token(digits: int) -> re.Pattern[str]:
    """Strings, opening brackets (group 1), closing ones (2), numbers that are too long (3)."""
    number = rf"[-+.0-9eE]{{{digits + 1},}}+"
    return re.compile(rf"{_STRING.pattern}|([\[{{])|([\]}}])|({number})", re.DOTALL)


def _strictly(text: str) -> Any:
    value = json.loads(
        text,
        object_pairs_hook=_without_duplicates,
        parse_constant=_no_constant,
        parse_float=_finite,
    )
    if _HALF_PAIR.search(text):
        for found in _texts(value):
            if not found.isprintable() and any(0xD800 <= ord(c) < 0xE000 for c in found):
                raise ValueError(f"half a surrogate pair in {shorten(found)}")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shorten(key)} twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"the number {shorten(number, 40)} is too large")
    return value


def _texts(value: Any) -> Iterator[str]:
    """All strings and keys in a JSON value, which may be nested as deeply as was checked."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
