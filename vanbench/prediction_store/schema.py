"""The tables of the predictions' database, and how a database of an older schema becomes one.

Schema 1 knew a data set by its fingerprint alone, with its class ids joined by spaces, so that a
run could be given the class ids of another one; and its predictions had no checksum.
"""

import hashlib
import json
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vanbench.errors import RecordError
from vanbench.outside.json_text import bounded_json
from vanbench.prediction_store.database import Columns
from vanbench.zoo.class_ids import imagenet_1k

SCHEMA_VERSION = 2

PREDICTIONS = """
CREATE TABLE predictions (
    run INTEGER NOT NULL REFERENCES runs,
    image INTEGER NOT NULL REFERENCES images,
    top BLOB NOT NULL,         -- class indices, best first: little-endian uint16
    logits BLOB NOT NULL,      -- their logits: little-endian float32
    crc32 INTEGER NOT NULL,    -- of this row: see checksum()
    PRIMARY KEY (run, image)
) STRICT, WITHOUT ROWID;
"""

SETS = """
CREATE TABLE sets (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,  -- of the classes and members: see digest_of()
    fingerprint TEXT NOT NULL,
    class_ids TEXT NOT NULL       -- JSON list, in label order
) STRICT;
CREATE TABLE members (
    data INTEGER NOT NULL REFERENCES sets,
    position INTEGER NOT NULL,
    image INTEGER NOT NULL REFERENCES images,
    label INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (data, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    data INTEGER NOT NULL REFERENCES sets,
    UNIQUE (run, data)
) STRICT;
"""

TABLES = (
    """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,       -- the name it was asked for by
    identity TEXT NOT NULL UNIQUE,  -- JSON of what decides the numbers: see RunKey
    started TEXT NOT NULL
) STRICT;
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE
) STRICT;
"""
    + PREDICTIONS
    + SETS
)


_INTEGERS = ("id", "run", "image", "crc32", "data", "position", "label")
_BLOBS = ("sha256", "top", "logits", "digest")
_NAMES_1 = {
    "runs": "id model identity started",
    "images": "id sha256",
    "predictions": "run image top logits",
    "sets": "id fingerprint class_ids",
    "members": "data position image label name",
    "evaluations": "id run data",
}
_NAMES_2 = _NAMES_1 | {
    "predictions": "run image top logits crc32",
    "sets": "id digest fingerprint class_ids",
}


def _columns(names: dict[str, str]) -> Columns:
    def kind(name: str) -> str:
        return "INTEGER" if name in _INTEGERS else "BLOB" if name in _BLOBS else "TEXT"

    return {table: tuple((n, kind(n)) for n in text.split()) for table, text in names.items()}


COLUMNS: dict[int, Columns] = {0: {}, 1: _columns(_NAMES_1), 2: _columns(_NAMES_2)}
"""The tables of each schema with the names and types of their columns; 0 is an empty database."""


@dataclass(frozen=True)
class Member:
    """One image of a data set."""

    image: int
    label: int
    name: str


def version_of(database: sqlite3.Connection) -> int:
    """The schema of a database; 0 for an empty one."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def prepare(database: sqlite3.Connection, version: int) -> None:
    """Create the tables in an empty database, or convert the tables of an older schema.

    The caller has begun a transaction, and has checked that the tables are those of ``version``.
    """
    if version == 0:
        _execute(database, TABLES)
    elif version == 1:
        _from_schema_1(database)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def checksum(run: int, image: int, top: bytes, logits: bytes) -> int:
    """The CRC-32 of a row of predictions."""
    return zlib.crc32(struct.pack("<qq", run, image) + top + logits)


def digest_of(fingerprint: str, class_ids: Sequence[str], members: Sequence[Member]) -> bytes:
    """SHA-256 over all that is stored of a data set.

    Two sets of the same fingerprint may differ in the list of classes that a label counts in, and
    in the names of the images.
    """
    rows = [(member.image, member.label, member.name) for member in members]
    text = json.dumps([fingerprint, list(class_ids), rows])
    return hashlib.sha256(text.encode()).digest()


def insert_set(
    database: sqlite3.Connection,
    fingerprint: str,
    class_ids: Sequence[str],
    members: Sequence[Member],
) -> int:
    """The id of the data set, which is stored if it is new."""
    digest = digest_of(fingerprint, class_ids, members)
    known = database.execute("SELECT id FROM sets WHERE digest = ?", (digest,)).fetchone()
    if known:
        return int(known[0])
    insert = "INSERT INTO sets (digest, fingerprint, class_ids) VALUES (?, ?, ?) RETURNING id"
    text = json.dumps(list(class_ids))
    data: int = database.execute(insert, (digest, fingerprint, text)).fetchone()[0]
    database.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
        ((data, i, m.image, m.label, m.name) for i, m in enumerate(members)),
    )
    return data


def _execute(database: sqlite3.Connection, statements: str) -> None:
    """Run several statements without the commit that ``executescript`` makes."""
    for statement in statements.split(";\n")[:-1]:
        database.execute(statement)


def _from_schema_1(database: sqlite3.Connection) -> None:
    """Copy the old tables into new ones, and delete them."""
    old = ("predictions", "evaluations", "members", "sets")
    for name in old:
        database.execute(f"ALTER TABLE {name} RENAME TO {name}_1")
    _execute(database, PREDICTIONS + SETS)
    database.create_function("checksum", 4, checksum, deterministic=True)
    database.execute(
        "INSERT INTO predictions SELECT run, image, top, logits, "
        "checksum(run, image, top, logits) FROM predictions_1"
    )
    sets = database.execute("SELECT id, fingerprint, class_ids FROM sets_1").fetchall()
    for data, fingerprint, joined in sets:
        _convert_set(database, data, fingerprint, joined)
    for name in old:
        database.execute(f"DROP TABLE {name}_1")


def _convert_set(database: sqlite3.Connection, data: int, fingerprint: str, joined: str) -> None:
    """Store a data set of schema 1 once for each list of classes of the runs over it.

    ``joined`` are the class ids of the run that stored it, separated by spaces.
    """
    query = "SELECT image, label, name FROM members_1 WHERE data = ? ORDER BY position"
    members = [Member(*row) for row in database.execute(query, (data,))]
    query = """
        SELECT evaluations_1.id, run, identity FROM evaluations_1 JOIN runs ON runs.id = run
        WHERE data = ?
    """
    evaluations = [
        (evaluation, run, _class_ids(identity))
        for evaluation, run, identity in database.execute(query, (data,)).fetchall()
    ]
    lists = {class_ids for _, _, class_ids in evaluations if class_ids}
    hashes = _hashes(database, members)
    own = _split(joined, lists, fingerprint, members, hashes)
    for evaluation, run, class_ids in evaluations:
        relabelled = _relabel(members, own, class_ids or own)
        if relabelled is not None:
            new = insert_set(database, fingerprint, class_ids or own, relabelled)
            database.execute("INSERT INTO evaluations VALUES (?, ?, ?)", (evaluation, run, new))


def _class_ids(identity: str) -> tuple[str, ...] | None:
    """The class ids that a run's key names, if it names any."""
    try:
        classes: Any = bounded_json(identity)
        for name in ("protocol", "classes"):
            classes = classes.get(name) if isinstance(classes, dict) else None
    except ValueError as error:
        raise _not_convertible(f"the key of a run is damaged: {error}") from error
    if classes == "imagenet-1k":
        return imagenet_1k()
    is_list = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    return tuple(classes) if is_list else None


def _not_convertible(why: str) -> RecordError:
    return RecordError(
        f"the predictions of an older vanbench cannot be converted: {why}",
        remedy="Move the file away, and run the validation again.",
    )


def _hashes(database: sqlite3.Connection, members: Sequence[Member]) -> list[str]:
    """The SHA-256 of each member's image in hex."""
    query = "SELECT sha256 FROM images WHERE id = ?"
    found = [database.execute(query, (member.image,)).fetchone() for member in members]
    if None in found:
        raise _not_convertible("an image is missing")
    return [row[0].hex() for row in found]


def _split(
    joined: str,
    lists: Iterable[tuple[str, ...]],
    fingerprint: str,
    members: Sequence[Member],
    hashes: Sequence[str],
) -> tuple[str, ...]:
    """The class ids that were joined: those of a run, because an id may have spaces in it.

    Where two lists give the same text, the fingerprint tells which of them it was.
    """
    fitting = sorted(ids for ids in lists if " ".join(ids) == joined)
    for ids in fitting[1:] and fitting:
        if _fingerprint(ids, members, hashes) == fingerprint:
            return ids
    return fitting[0] if fitting else tuple(joined.split(" "))


def _fingerprint(
    class_ids: Sequence[str], members: Sequence[Member], hashes: Sequence[str]
) -> str | None:
    """The fingerprint of a set under these class ids, None if they are too few."""
    if not all(0 <= member.label < len(class_ids) for member in members):
        return None
    pairs = zip(members, hashes, strict=True)
    lines = sorted(f"{class_ids[member.label]} {sha256}\n" for member, sha256 in pairs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _relabel(
    members: Iterable[Member], old: Sequence[str], new: Sequence[str]
) -> list[Member] | None:
    """The members with labels that count in ``new``; None if a class is not in both lists."""
    position = {class_id: label for label, class_id in enumerate(new)}
    try:
        labels = {label: position[class_id] for label, class_id in enumerate(old)
                  if class_id in position}  # fmt: skip
        return [Member(m.image, labels[m.label], m.name) for m in members]
    except KeyError:
        return None
