"""The form that both files of evidence have: a header of one line, then rows of one size.

The header is a JSON object in ASCII with sorted keys and without spaces. So the same content is the
same bytes everywhere, and nothing is compressed, which depends on the version of a library. The
files may come from strangers: each is bounded, and is refused unless writing it again would give
the same bytes.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vanbench.errors import RecordError
from vanbench.outside.files import read_bytes
from vanbench.outside.json_text import bounded_json
from vanbench.outside.safe_text import shorten
from vanbench.typed_json import from_json, to_json

SCHEMA = 1
"""The version of both forms."""

MOST_IMAGES = 2_000_000
NEWER = ", which a newer vanbench wrote"

Header = TypeVar("Header")


class UnexpectedError(ValueError):
    """Something that is not as it should be: what it is, what was expected, what was found."""

    def __init__(self, what: str, expected: object, found: object):
        super().__init__(f"{what}: expected {expected}, found {found}")
        self.what, self.expected, self.found = what, str(expected), str(found)


@dataclass(frozen=True)
class Form:
    """One kind of file: what its header's ``format`` says, and how long header and rows may be."""

    format: str
    row_bytes: int
    most_header: int

    @property
    def most(self) -> int:
        """The bytes of the largest file."""
        return self.most_header + MOST_IMAGES * self.row_bytes


def header_line(header: Any) -> bytes:
    """The first line of a file with this header, which is a dataclass."""
    text = json.dumps(to_json(header), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii") + b"\n"


def join(form: Form, header: Any, rows: Iterable[bytes]) -> bytes:
    """The content of a file; UnexpectedError if it would be too large to be read."""
    found = list(rows)
    _check_number(len(found))
    line = header_line(header)
    if len(line) > form.most_header:
        raise UnexpectedError("header", f"at most {form.most_header:,} bytes", f"{len(line):,}")
    return b"".join([line, *found])


def split(form: Form, kind: type[Header], content: bytes) -> tuple[Header, memoryview]:
    """The header of a file as the dataclass ``kind``, and all its rows; UnexpectedError otherwise.

    ``kind`` has the fields ``format``, ``schema`` and ``rows``, which is how many rows there are.
    """
    line = content[: form.most_header]
    line = line[: line.find(b"\n") + 1]
    if not line:
        limit = f"a line of at most {form.most_header:,} bytes"
        raise UnexpectedError("header", limit, shorten(content[:50]))
    header = _header(form, kind, line)
    number: int = header.rows  # type: ignore[attr-defined]
    _check_number(number)
    rows = memoryview(content)[len(line) :]
    if len(rows) != number * form.row_bytes:
        expected = f"{number:,} rows of {form.row_bytes} bytes"
        raise UnexpectedError("rows", expected, f"{len(rows):,} bytes")
    return header, rows


def read(path: Path, form: Form) -> bytes:
    """The content of a file that is not larger than one of this form; RecordError otherwise."""
    return read_bytes(path, most=form.most, error=RecordError)


def _header(form: Form, kind: type[Header], line: bytes) -> Header:
    try:
        text = line.decode("ascii")
        found = bounded_json(text, depth=2)
        found = found if isinstance(found, dict) else {}
        if found.get("format") != form.format:
            raise UnexpectedError("format", form.format, shorten(found.get("format")))
        schema = found.get("schema")
        if schema != SCHEMA or type(schema) is not int:
            newer = NEWER if type(schema) is int and schema > SCHEMA else ""
            raise UnexpectedError("schema", SCHEMA, shorten(schema) + newer)
        header = from_json(kind, text)
    except UnexpectedError:
        raise
    except ValueError as error:
        raise UnexpectedError("header", "a JSON object", error) from error
    if header_line(header) != line:
        raise UnexpectedError("header", "sorted keys and no spaces", shorten(line))
    return header


def _check_number(rows: int) -> None:
    if not 0 <= rows <= MOST_IMAGES:
        raise UnexpectedError("images", f"at most {MOST_IMAGES:,}", f"{rows:,}")
