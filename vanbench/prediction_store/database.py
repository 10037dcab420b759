"""Opening an SQLite file that may come from anywhere: nothing in it is run, and damage is found.

SQLite runs what a file defines: triggers, views, expressions in indexes. A database of ours has
none, so a file that has any is refused before its tables are used. Pages have no checksums in
SQLite: ``check_integrity`` finds damaged trees and indexes, which could lead to a wrong image.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vanbench.errors import RecordError
from vanbench.outside.files import check_regular
from vanbench.outside.safe_text import for_terminal, shorten

BUSY_SECONDS = 60
LONGEST_VALUE = 16_000_000  # bytes of a text or a row; the class ids of ImageNet-21k have 250,000
MOVE_AWAY = (
    "Move the file away, with its -wal and -shm, to start with an empty one, or choose another "
    "folder with --results."
)
USABLE = f"Free disk space, or fix the permissions. {MOVE_AWAY}"

Columns = Mapping[str, tuple[tuple[str, str], ...]]  # name and type of the columns of each table


@contextmanager
def failures(path: Path | None) -> Iterator[None]:
    """Errors of SQLite and of the operating system as RecordErrors with the file and what to do."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:  # also a message that is not UTF-8
        reason = error.strerror if isinstance(error, OSError) else None
        shown = for_terminal(str(reason or error), most=300)
        problem = f"the stored predictions cannot be used: {shown}"
        raise RecordError(problem, where=path, remedy=USABLE) from error


def is_there(path: Path) -> bool:
    """Whether a database is at ``path``; RecordError if it, or a file beside it, is no file."""
    for suffix in ("-wal", "-shm", "-journal", ".lock"):
        beside = Path(f"{path}{suffix}")
        if os.path.lexists(beside):
            check_regular(beside, RecordError, remedy="Delete it.")
    if not os.path.lexists(path):
        return False
    check_regular(path, RecordError, remedy="Choose another folder with --results.")
    return True


def connect(path: Path | None) -> sqlite3.Connection:
    """The open database at ``path``, or one in memory."""
    database = sqlite3.connect(path or ":memory:", timeout=BUSY_SECONDS)
    try:
        database.isolation_level = None
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0",
                        "ignore_check_constraints = ON", "journal_mode = WAL",
                        "synchronous = NORMAL"):  # fmt: skip
            database.execute(f"PRAGMA {setting}")
    except BaseException:
        database.close()
        raise
    return database


def check_objects(database: sqlite3.Connection, path: Path | None, expected: Columns) -> None:
    """RecordError if the database has anything but the tables in ``expected``, or other columns.

    Nothing of the tables is read. Indexes without SQL are those that SQLite makes for a key.
    """
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    found = database.execute(query).fetchall()
    tables = {name for kind, name, _ in found if kind == "table"}
    others = [
        f"{kind} {name}" for kind, name, _ in found if kind != "table" or name not in expected
    ]
    if others:
        _refuse(path, f"expected only the tables of vanbench, found {shorten(others)}")
    if missing := expected.keys() - tables:
        _refuse(path, f"expected the tables of vanbench, found no {', '.join(sorted(missing))}")
    for name, columns in expected.items():
        # Every column of the row that this returns: cid, name, type, notnull, default, key, hidden
        info = database.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
        if tuple((row[1], row[2]) for row in info) != columns or any(row[6] for row in info):
            _refuse(path, f"the table {name} does not have the columns that vanbench makes")


def check_integrity(database: sqlite3.Connection, path: Path | None) -> None:
    """RecordError if a page, a tree or an index is damaged; takes 0.1 s for a million rows."""
    try:
        (answer,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
            raise
        answer = str(error)
    if answer != "ok":
        shown = for_terminal(" ".join(answer.split()), most=200)
        _refuse(path, f"the stored predictions are damaged ({shown})")


def _refuse(path: Path | None, problem: str) -> None:
    raise RecordError(problem, where=path or "memory", remedy=MOVE_AWAY)
