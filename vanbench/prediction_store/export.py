"""Predictions as tables: a pandas DataFrame, a CSV file or a Parquet file, one row per image.

A CSV file has the columns and nothing else, so that every program reads it. What the run was
computed with is beside it, in ``FILE.csv.json``; a Parquet file has it in its metadata, which
``pandas.read_parquet`` puts into ``attrs``. pandas is imported on first use.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vanbench.errors import DataError, DependencyError
from vanbench.files import sha256_of, write_atomically
from vanbench.prediction_store.prediction import TOP
from vanbench.prediction_store.rows import PredictionRow
from vanbench.prediction_store.store import StoredRun

if TYPE_CHECKING:
    import pandas

TOP_COLUMNS = [f"top{i}" for i in range(1, TOP + 1)]
LOGIT_COLUMNS = [f"logit{i}" for i in range(1, TOP + 1)]
COLUMNS = ["image", "sha256", "class", "correct1", "correct5", *TOP_COLUMNS, *LOGIT_COLUMNS]
SUFFIXES = (".csv", ".parquet")
ATTRIBUTE = "vanbench"  # the key in a DataFrame's attrs
SCHEMA = 1


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
        with parquet_support():
            frame.to_parquet(path, index=False)
        return len(frame)
    frame.to_csv(path, index=False, lineterminator="\r\n")
    if run is not None:
        document = {"schema": SCHEMA, "sha256": sha256_of(path), "run": _describe(run)}
        text = json.dumps(document, indent=2, ensure_ascii=False)
        write_atomically(sidecar(path), text + "\n")
    return len(frame)


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


def sidecar(path: Path) -> Path:
    """The file beside a CSV file that says which run it is."""
    return path.with_name(path.name + ".json")


@contextmanager
def parquet_support() -> Iterator[None]:
    """Turn the ImportError of a missing pyarrow into a DependencyError."""
    try:
        yield
    except ImportError as error:
        raise DependencyError(
            "Parquet files need pyarrow",
            remedy="Install it with: pip install 'vanbench[parquet]'",
        ) from error
