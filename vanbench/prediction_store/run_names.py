"""The names of the stored runs, read without a lock and without a change to the file.

``Store`` waits for other processes, checks the whole file and may convert it. Names that a shell
completes must be there at once.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vanbench.prediction_store.database import LONGEST_VALUE, check_objects, failures, is_there
from vanbench.prediction_store.schema import COLUMNS, version_of

MOST_RUNS = 100
_WAIT_SECONDS = 0.2

_QUERY = """
    SELECT id, model, started FROM runs
    WHERE EXISTS (SELECT 1 FROM predictions WHERE run = runs.id)
    ORDER BY id DESC LIMIT ?
"""


@dataclass(frozen=True)
class RunName:
    """What a stored run may be called by: its number or its model; and when it was started."""

    id: int
    model: str
    started: str


def run_names(path: Path) -> list[RunName]:
    """The last runs that have predictions, newest first; RecordError if they cannot be read."""
    if not is_there(path):
        return []
    with failures(path), closing(_connect_read_only(path)) as database:
        columns = COLUMNS.get(version_of(database)) or {}
        check_objects(database, path, columns)
        rows = database.execute(_QUERY, (MOST_RUNS,)).fetchall() if columns else []
    return [RunName(*row) for row in rows]


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """The open database; SQLite would make files beside one that no process has open."""
    mode = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    address = f"{path.absolute().as_uri()}?{mode}"
    database = sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    database.execute("PRAGMA trusted_schema = OFF")
    return database
