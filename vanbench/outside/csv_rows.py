"""CSV from outside: each row has the columns of the header, and no field is too long."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vanbench.errors import VanbenchError
from vanbench.outside.safe_text import shorten

LONGEST = 65_536  # characters of a field; below the limit of Python's csv module


def csv_rows(
    lines: Iterable[str],
    *,
    columns: Sequence[str],
    where: str | Path | None,
    error: type[VanbenchError],
    longest: int = LONGEST,
    remedy: str = "",
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows after the header with the number of their last line; empty lines are left out.

    ``columns`` are those that the header must have, among others. ``error`` for a header without
    them or with a name twice, for a row of another length, and for a field that is too long.
    """
    reader = csv.reader(lines)
    header: list[str] | None = None
    try:
        for row in reader:
            if not row:
                continue
            _check_fields(row, longest)
            if header is None:
                header = row
                _check_header(header, columns)
            elif len(row) != len(header):
                raise ValueError(f"expected {len(header)} fields, found {len(row)}")
            else:
                yield reader.line_num, dict(zip(header, row, strict=True))
        if header is None:
            raise ValueError(f"expected the columns {', '.join(columns)}, found nothing")
    except (ValueError, csv.Error) as reason:
        place = f"line {max(reader.line_num, 1):,}"
        raise error(f"{place}: {reason}", where=where, remedy=remedy) from reason


def _check_fields(row: list[str], longest: int) -> None:
    for field in row:
        if len(field) > longest or "\0" in field:
            raise ValueError(
                f"expected fields of at most {longest:,} characters and no NUL, found "
                f"{len(field):,}: {shorten(field)}"
            )


def _check_header(header: list[str], columns: Sequence[str]) -> None:
    if len(set(header)) < len(header) or not set(columns) <= set(header):
        raise ValueError(
            f"expected the columns {', '.join(columns)}, each once, found {shorten(header)}"
        )
