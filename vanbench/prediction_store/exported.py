"""Exported predictions read back: files that may come from anywhere, or may have been edited.

Sizes are bounded before anything is read, and each row is checked for what a model can predict.
"""

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from vanbench.errors import DataError
from vanbench.files import sha256_of
from vanbench.outside.csv_rows import LONGEST, csv_rows
from vanbench.outside.files import check_regular
from vanbench.outside.json_text import parse_json, read_json
from vanbench.outside.parquet_pages import row_groups, unpacked_bytes
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.prediction_store.export import (
    ATTRIBUTE,
    COLUMNS,
    LOGIT_COLUMNS,
    TOP_COLUMNS,
    parquet_support,
    sidecar,
)
from vanbench.prediction_store.rows import PredictionRow
from vanbench.prediction_store.store import RunKey

REMEDY = "Write such files with: vanbench predictions RUN --write FILE"
MOST_BYTES = 500_000_000  # of a file, also when it is unpacked: about two million images
MOST_KEY = 4_000_000  # bytes of the JSON beside a CSV file
ROW_BYTES = 8  # that a row of a Parquet file takes at least; its SHA-256 alone has more
FEW_ROWS = 10_000  # that any file may have

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("image", "sha256", "class", *TOP_COLUMNS)
Line = tuple[int, Mapping[str, str]]


@dataclass(frozen=True)
class Export:
    """The content of an exported file; ``key`` is None where nothing says which run it was."""

    rows: tuple[PredictionRow, ...]
    key: RunKey | None


def read(path: Path) -> Export:
    """The content of a file that ``export.write`` wrote; DataError if it is another one."""
    size = check_regular(path, DataError).st_size
    if size > MOST_BYTES:
        found = f"expected at most {MOST_BYTES:,} bytes, found {size:,}"
        raise DataError(f"the predictions cannot be read: {found}", where=path)
    try:
        if path.suffix == ".parquet":
            lines, key = _read_parquet(path, size)
        else:
            lines, key = _read_csv(path), _read_sidecar(path)
        return Export(_rows(path, lines), key)
    except OSError as error:
        problem = f"the predictions cannot be read: {error.strerror or error}"
        raise DataError(problem, where=path) from error


def _rows(path: Path, lines: Iterable[Line]) -> tuple[PredictionRow, ...]:
    rows, seen = [], set()
    for number, cells in lines:
        row = _row(cells, f"{path}, line {number}")
        if (row.name, row.sha256) in seen:
            raise DataError(
                f"the image {for_terminal(row.name, most=200)} is listed twice",
                where=f"{path}, line {number}",
                remedy=REMEDY,
            )
        seen.add((row.name, row.sha256))
        rows.append(row)
    return tuple(rows)


def _read_csv(path: Path) -> Iterator[Line]:
    """Line number and cells of each row. A byte-order mark, as Excel writes it, is skipped."""
    return csv_rows(_lines(path), columns=COLUMNS, where=path, error=DataError, remedy=REMEDY)


def _lines(path: Path) -> Iterator[str]:
    """The lines with their ends; ValueError for one that no row can have."""
    longest = len(COLUMNS) * LONGEST
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            while line := file.readline(longest + 1):
                if len(line) > longest:
                    raise ValueError(f"expected at most {longest:,} characters, found more")
                yield line
        except UnicodeDecodeError as error:
            found = error.object[error.start]
            raise ValueError(f"expected UTF-8 text, found the byte 0x{found:02x}") from error


def _read_sidecar(path: Path) -> RunKey | None:
    """The key beside a CSV file; None if there is none, or if it belongs to another content."""
    beside = sidecar(path)
    if not os.path.lexists(beside):
        return None
    remedy = "Delete the file, or export the run again."
    document = read_json(
        beside, most=MOST_KEY, error=DataError, what=f"key of the run in {path.name}", remedy=remedy
    )
    try:
        if not isinstance(document, dict) or not isinstance(document.get("sha256"), str):
            raise ValueError(f"an object without sha256: {shorten(document)}")
        return RunKey.of(document.get("run")) if document["sha256"] == sha256_of(path) else None
    except ValueError as error:
        raise DataError(
            f"expected the key of the run in {path.name}, found something else: {error}",
            where=beside,
            remedy=remedy,
        ) from error


def _read_parquet(path: Path, size: int) -> tuple[Iterator[Line], RunKey | None]:
    """Number and cells of each row as text, and the key of the run."""
    with parquet_support():
        import pyarrow.lib
        import pyarrow.parquet
    try:
        _check_columns(path, pyarrow.parquet.read_schema(path))
        file = pyarrow.parquet.ParquetFile(path, read_dictionary=list(_TEXTS))
        _check_size(path, size)
        key = _key_in(path, file.schema_arrow.metadata or {})
        # Without threads: those of Arrow do not survive a fork into worker processes.
        table = file.read(columns=COLUMNS, use_threads=False)
        columns = {name: _values(table[name]) for name in COLUMNS}
    except (
        pyarrow.lib.ArrowException,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = for_terminal(" ".join(str(error).split()), most=300)
        problem = f"the predictions cannot be read: {reason}"
        raise DataError(problem, where=path, remedy=REMEDY) from error
    rows = zip(*columns.values(), strict=True)
    return enumerate((dict(zip(COLUMNS, row, strict=True)) for row in rows), 1), key


def _check_columns(path: Path, schema: Any) -> None:
    from pyarrow import types

    names = schema.names
    if any(names.count(name) != 1 for name in COLUMNS):
        raise DataError(
            f"expected the columns {', '.join(COLUMNS)}; found "
            f"{for_terminal(', '.join(names[:20]), most=300) or 'none'}",
            where=path,
            remedy=REMEDY,
        )
    for name in COLUMNS:
        kind = schema.field(name).type
        plain = kind.value_type if types.is_dictionary(kind) else kind
        text = types.is_string(plain) or types.is_large_string(plain)
        number = types.is_integer(plain) or types.is_floating(plain)
        if not (types.is_null(plain) or (text if name in _TEXTS else number)):
            expected = "text" if name in _TEXTS else "numbers"
            shown = for_terminal(str(kind), most=100)
            raise DataError(
                f"expected {expected} in the column {name}, found {shown}",
                where=path,
                remedy=REMEDY,
            )


def _check_size(path: Path, size: int) -> None:
    """DataError for more rows than a file of this size has, or too much when it is unpacked."""
    groups = row_groups(path)
    rows, most = sum(group.rows for group in groups), max(FEW_ROWS, size // ROW_BYTES)
    if rows > most:
        problem = f"expected at most {most:,} rows in a file of this size, found {rows:,}"
        raise DataError(problem, where=path, remedy=REMEDY)
    with path.open("rb") as file:
        chunks = (chunk for group in groups for chunk in group.chunks.values())
        unpacked = sum(unpacked_bytes(file, chunk) for chunk in chunks)
    if unpacked > MOST_BYTES:
        problem = f"expected at most {MOST_BYTES:,} bytes when it is unpacked, found {unpacked:,}"
        raise DataError(problem, where=path, remedy=REMEDY)


def _key_in(path: Path, metadata: Mapping[bytes, bytes]) -> RunKey | None:
    """The key in the metadata that pandas keeps for ``DataFrame.attrs``."""
    raw = metadata.get(b"PANDAS_ATTRS")
    if raw is None:
        return None
    attributes = parse_json(
        raw[: MOST_KEY + 1], where=path, error=DataError, what="description of the run"
    )
    described = attributes.get(ATTRIBUTE) if isinstance(attributes, dict) else None
    return None if described is None else RunKey.of(described)


def _values(column: Any) -> list[str]:
    """The values of a column as text, empty for none; ValueError for a text that is too long."""
    values: list[str] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            known = [_text(value) for value in chunk.dictionary.to_pylist()]
            values += ["" if i is None else known[i] for i in chunk.indices.to_pylist()]
        else:
            values += map(_text, chunk.to_pylist())
    return values


def _text(value: Any) -> str:
    if value is None or value != value:  # NaN
        return ""
    text = str(value)
    if len(text) > LONGEST:
        limit = f"expected texts of at most {LONGEST:,} characters"
        raise ValueError(f"{limit}, found {len(text):,}: {shorten(text)}")
    return text


def _row(cells: Mapping[str, str], where: str) -> PredictionRow:
    """The row with these cells; DataError if they cannot be what a model predicted."""
    chosen = [cells[name] for name in TOP_COLUMNS]
    top = tuple(class_id for class_id in chosen if class_id)
    logits = tuple(_number(cells[name], where) for name in LOGIT_COLUMNS if cells[name])
    row = PredictionRow(cells["image"], cells["sha256"], cells["class"], top, logits)
    problem = _problem(row, chosen)
    if not problem and (cells["correct1"], cells["correct5"]) != tuple(
        str(int(right)) for right in (row.correct1, row.correct5)
    ):
        problem = "correct1 or correct5 contradicts the class and the choices"
    if problem:
        raise DataError(problem, where=where, remedy=REMEDY)
    return row


def _problem(row: PredictionRow, chosen: list[str]) -> str:
    """What is wrong with a row; empty if nothing is."""
    if not (row.name and row.wnid and _SHA256.fullmatch(row.sha256)):
        return "expected an image, its SHA-256 in hex and its class"
    if not row.top:
        return "expected at least one choice (top1), found none"
    if chosen[: len(row.top)] != list(row.top) or len(set(row.top)) != len(row.top):
        return "expected distinct choices without a gap"
    if len(row.logits) != len(row.top):
        return f"expected a logit for each of {len(row.top)} choices, found {len(row.logits)}"
    if any(left < right for left, right in pairwise(row.logits)):
        return "expected the choices best first, found logits that grow"
    return ""


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        problem = f"expected a finite logit, found {shorten(text)}"
        raise DataError(problem, where=where, remedy=REMEDY)
    return number
