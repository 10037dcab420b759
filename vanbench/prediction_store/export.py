"""Predictions as tables: a pandas DataFrame, a CSV file or a Parquet file, one row per image.

A CSV file has the columns and nothing else, so that every program reads it. What the run was
computed with is beside it, in ``FILE.csv.json``; a Parquet file has it in its metadata, which
``pandas.read_parquet`` puts into ``attrs``. pandas is imported on first use.
"""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vanbench.errors import DataError, DependencyError
from vanbench.files import write_atomically
from vanbench.prediction_store.prediction import TOP
from vanbench.prediction_store.rows import PredictionRow
from vanbench.prediction_store.store import RunKey, StoredRun

if TYPE_CHECKING:
    import pandas

TOP_COLUMNS = [f"top{i}" for i in range(1, TOP + 1)]
LOGIT_COLUMNS = [f"logit{i}" for i in range(1, TOP + 1)]
COLUMNS = ["image", "sha256", "class", "correct1", "correct5", *TOP_COLUMNS, *LOGIT_COLUMNS]
SUFFIXES = (".csv", ".parquet")
ATTRIBUTE = "vanbench"  # the key in a DataFrame's attrs
SCHEMA = 1
REMEDY = "Write such files with: vanbench predictions RUN --write FILE"


@dataclass(frozen=True)
class Export:
    """The content of an exported file; ``key`` is None where nothing says which run it was."""

    rows: tuple[PredictionRow, ...]
    key: RunKey | None


def to_frame(rows: Iterable[PredictionRow], run: StoredRun | None = None) -> "pandas.DataFrame":
    """A DataFrame with COLUMNS; ``attrs["vanbench"]`` says which run it is, if that is given.

    ``correct1`` and ``correct5`` are 0 or 1. Where a model has fewer than five classes, the columns
    of the others are None (class ids) or NaN (logits).
    """
    import pandas

    frame = pandas.DataFrame([_cells(row) for row in rows], columns=COLUMNS)
    frame[LOGIT_COLUMNS] = frame[LOGIT_COLUMNS].astype("float64")
    if run is not None:
        frame.attrs[ATTRIBUTE] = _describe(run)
    return frame


def write(path: Path, rows: Iterable[PredictionRow], run: StoredRun | None = None) -> int:
    """Write the rows to a ``.csv`` or ``.parquet`` file; how many there were."""
    if path.suffix not in SUFFIXES:
        raise DataError("expected a file name that ends in .csv or .parquet", where=path)
    frame = to_frame(rows, run)
    if path.suffix == ".parquet":
        with _parquet_support():
            frame.to_parquet(path, index=False)
        return len(frame)
    frame.to_csv(path, index=False, lineterminator="\r\n")
    if run is not None:
        document = {"schema": SCHEMA, "sha256": _sha256(path), "run": _describe(run)}
        text = json.dumps(document, indent=2, ensure_ascii=False)
        write_atomically(_sidecar(path), text + "\n")
    return len(frame)


def read(path: Path) -> Export:
    """The content of a file that ``write`` wrote; DataError if it is another one."""
    try:
        if path.suffix == ".parquet":
            lines, key = _read_parquet(path)
        else:
            lines, key = list(_read_csv(path)), _read_sidecar(path)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"the predictions cannot be read: {error}", where=path) from error
    rows, seen = [], set()
    for number, cells in lines:
        row = _row(cells, f"{path}, line {number}")
        if (row.name, row.sha256) in seen:
            raise DataError(
                f"the image {row.name} is listed twice",
                where=f"{path}, line {number}",
                remedy=REMEDY,
            )
        seen.add((row.name, row.sha256))
        rows.append(row)
    return Export(tuple(rows), key)


def _cells(row: PredictionRow) -> list[str | int | float | None]:
    """The values of COLUMNS; None where a model has fewer than five classes."""
    missing = [None] * (TOP - len(row.top))
    right = [int(row.correct1), int(row.correct5)]
    return [row.name, row.sha256, row.wnid, *right, *row.top, *missing, *row.logits, *missing]


def _describe(run: StoredRun) -> dict[str, Any]:
    """Which run it is, as JSON."""
    return {"model": run.model, "started": run.started, "fingerprint": run.fingerprint} | vars(
        run.key
    )


def _key(described: Mapping[str, Any]) -> RunKey:
    """The key in what ``_describe`` returned; ValueError if there is none."""
    try:
        return RunKey(described["checkpoint"], described["protocol"], described["numerics"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected the key of a run, found {described!r}") from error


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_sidecar(path: Path) -> RunKey | None:
    """The key beside a CSV file; None if there is none, or if it belongs to another content."""
    sidecar = _sidecar(path)
    if not sidecar.exists():
        return None
    try:
        document = json.loads(sidecar.read_text(encoding="utf-8"))
        if document["sha256"] != _sha256(path):
            return None
        return _key(document["run"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"expected the key of the run in {path.name}, found something else: {error}",
            where=sidecar,
            remedy="Delete the file, or export the run again.",
        ) from error


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row. A byte-order mark, as Excel writes it, is skipped."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        _check_columns(path, list(reader.fieldnames or ()))
        for cells in reader:
            if None in cells or None in cells.values():
                raise DataError(
                    f"expected {len(COLUMNS)} columns",
                    where=f"{path}, line {reader.line_num}",
                    remedy=REMEDY,
                )
            yield reader.line_num, cells


def _read_parquet(path: Path) -> tuple[list[tuple[int, dict[str, str]]], RunKey | None]:
    """Number and cells of each row as text, and the key of the run."""
    import pandas

    with _parquet_support():
        frame = pandas.read_parquet(path)
    _check_columns(path, list(map(str, frame.columns)))
    rows = [
        (number, {n: "" if pandas.isna(v) else str(v) for n, v in zip(COLUMNS, row, strict=True)})
        for number, row in enumerate(frame.itertuples(index=False), 1)
    ]
    described = frame.attrs.get(ATTRIBUTE)
    return rows, None if described is None else _key(described)


@contextmanager
def _parquet_support() -> Iterator[None]:
    """Turn the ImportError of a missing pyarrow into a DependencyError."""
    try:
        yield
    except ImportError as error:
        raise DependencyError(
            "Parquet files need pyarrow",
            remedy="Install it with: pip install 'vanbench[parquet]'",
        ) from error


def _check_columns(path: Path, found: list[str]) -> None:
    if found != COLUMNS:
        raise DataError(
            f"expected the columns {', '.join(COLUMNS)}; found {', '.join(found) or 'none'}",
            where=path,
            remedy=REMEDY,
        )


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
    if not (row.name and row.wnid and len(row.sha256) == 64):
        return "expected an image, its SHA-256 in hex and its class"
    if not row.top:
        return "expected at least one choice (top1), found none"
    if chosen[: len(row.top)] != list(row.top) or len(set(row.top)) != len(row.top):
        return "expected distinct choices without a gap"
    if len(row.logits) != len(row.top):
        return f"expected a logit for each of {len(row.top)} choices, found {len(row.logits)}"
    return ""


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"expected a finite logit, found {text!r}", where=where, remedy=REMEDY)
    return number
