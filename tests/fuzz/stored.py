"""Stored and exported predictions."""

import random
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.kind import Kind
from tests.fuzz.mutators import ODD_VALUES, csv_cell, json_value
from vanbench.prediction_store.compare import load_run
from vanbench.prediction_store.export import write
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.rows import PredictionRow, stored_rows, stored_tally
from vanbench.prediction_store.schema import Member, checksum
from vanbench.prediction_store.store import FILE, RunKey, Store, StoredRun

KEYS = [
    RunKey(f"{n:064x}", {"crop": 224, "mean": [127.5] * 3}, {"torch": "2.14", "gpu": None})
    for n in range(2)
]
DAY = "2026-01-01"


def _rows() -> list[PredictionRow]:
    tops = (("p", "q", "r"), ("q", "p", "r"), ("r",), ("p", "r", "q", "s", "t"))
    return [
        PredictionRow(f"n/{i}.JPEG", f"{i:064x}", "p", top, (3.5, 2.25, 1.0, 0.5, -1.0)[: len(top)])
        for i, top in enumerate(tops * 3)
    ]


def _exported(suffix: str) -> Any:
    def make(folder: Path) -> list[Path]:
        run = StoredRun(1, "van_b0", KEYS[0], DAY, 12, 1, "f00d")
        write(folder / f"run.{suffix}", _rows(), run)
        return [folder / f"run.{suffix}"]

    return make


def _export_key(folder: Path) -> list[Path]:
    _exported("csv")(folder)
    return [folder / "run.csv.json"]


def _read_export(folder: Path, path: Path) -> Any:
    run = load_run(folder / FILE, str(next(folder.glob("run.[cp]*[vt]"))))
    return repr((run.key, run.rows))


def _store(folder: Path) -> list[Path]:
    path = folder / FILE
    with Store(path) as store:
        images = store.image_ids({i: f"{i:064x}" for i in range(40)})
        members = [Member(images[i], i % 3, f"n/{i}.JPEG") for i in range(40)]
        data = store.remember_set("f00d", ("p", "q", "r"), members)
        for number, key in enumerate(KEYS):
            run = store.run("van_b0", key, DAY)
            store.remember_evaluation(run, data)
            store.add(
                (run, images[i], Prediction(((i + number) % 3, (i + number + 1) % 3), (2.0, 1.0)))
                for i in range(40)
            )
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = DELETE")
    database.close()
    return [path]


def _read_store(folder: Path, path: Path) -> Any:
    """What ``predictions`` and ``compare`` read, and what a validation would count."""
    found = {}
    with Store(path, create=False) as store:
        for run in store.runs():
            rows = [(row.sha256, row.wnid, row.top) for row in stored_rows(store, run)]
            found[run.key.identity] = (repr(stored_tally(store, run)), rows)
        ids = store.image_ids({i: f"{i:064x}" for i in range(40)})
        for key in KEYS:
            stored = store.read(store.run("van_b0", key, DAY), classes=3)
            tops = {i: stored[ids[i]].top for i in range(40) if ids[i] in stored}
            found["validation " + key.identity] = (None, sorted(tops.items()))
    return found


def _wrong_counts(original: Any, found: Any) -> str:
    """A run has its predictions or fewer of them, and never others."""
    for identity in found.keys() & original.keys():
        rows, known = found[identity][1], original[identity][1]
        if others := [row for row in rows if row not in known]:
            return f"{len(others)} predictions that were never stored, such as {others[0]}"
    return ""


def sql_value(data: bytes, chance: random.Random) -> bytes:
    """A value of a table becomes an odd one, half of the time with the checksum for it."""
    statements = [
        "UPDATE {table} SET {column} = ? WHERE rowid IN (SELECT rowid FROM {table} LIMIT {few})",
        "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} LIMIT {few})",
        "CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM runs; END",
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) "
        "SELECT x FROM c",
        "PRAGMA user_version = {few}",
    ]
    columns = ("runs.model", "runs.identity", "runs.started", "images.sha256", "sets.digest",
               "sets.fingerprint", "sets.class_ids", "evaluations.run", "evaluations.data",
               "images.id", "runs.id", "sets.id")  # fmt: skip
    table, column = chance.choice(columns).split(".")
    values = (*ODD_VALUES, b"", b"\xff" * 5, b"\0" * 1_000_000, "[" * 100_000, '{"a":' * 10_000)
    value = chance.choice([v for v in values if not isinstance(v, (list, dict))])
    statement = statements[min(int(chance.expovariate(1)), 4)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_bytes(data)
        database = sqlite3.connect(path)
        database.create_function("checksum", 4, checksum, deterministic=True)
        few = chance.choice((1, 2, 100))
        try:
            if chance.random() < 0.4:
                blob = chance.choice((b"", b"\xff" * 4, b"\0\0\1\0", b"\1", chance.randbytes(10)))
                name = chance.choice(("top", "logits", "image"))
                odd = blob if name != "image" else chance.choice((-1, 2**62, 7))
                query = f"UPDATE OR IGNORE predictions SET {name} = ? WHERE image <= {few}"
                database.execute(query, (odd,))
            else:
                filled = statement.format(table=table, column=column, few=few)
                database.execute(filled, (value,) if "?" in filled else ())
        except (sqlite3.Error, OverflowError, UnicodeEncodeError):
            pass  # not a value for this column: the file stays as it was
        database.commit()
        database.close()
        return path.read_bytes()


KINDS = {
    "predictions-csv": Kind(_exported("csv"), _read_export, (csv_cell,)),
    "predictions-csv-key": Kind(_export_key, _read_export, (json_value,)),
    "predictions-parquet": Kind(_exported("parquet"), _read_export),
    "predictions-sqlite": Kind(_store, _read_store, (sql_value,), _wrong_counts),
}
