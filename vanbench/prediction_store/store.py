"""Predictions as they are made, in an SQLite database that survives a crash.

A prediction belongs to an image by its content (SHA-256 of the encoded file) and to a run: one
checkpoint under one protocol and one set of numerics. So it does not matter to what was computed
in which batches, processes or layout, nor which other images or models took part. A data set is
remembered by its fingerprint, as the list of its images with their labels and names.

Each batch is one transaction in a write-ahead log: a killed process loses at most the last one.
"""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from vanbench.errors import RecordError

FILE = "predictions.sqlite"
SCHEMA_VERSION = 1
BUSY_SECONDS = 60

TABLES = """
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
CREATE TABLE predictions (
    run INTEGER NOT NULL REFERENCES runs,
    image INTEGER NOT NULL REFERENCES images,
    top BLOB NOT NULL,         -- class indices, best first: little-endian uint16
    logits BLOB NOT NULL,      -- their logits: little-endian float32
    PRIMARY KEY (run, image)
) STRICT, WITHOUT ROWID;
CREATE TABLE sets (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    class_ids TEXT NOT NULL    -- separated by spaces, in label order
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


@dataclass(frozen=True)
class RunKey:
    """What decides a prediction, besides the image.

    ``checkpoint`` is the file's SHA-256; ``numerics`` holds everything that can move a logit:
    precision, device, the versions of the libraries.
    """

    checkpoint: str
    protocol: Mapping
    numerics: Mapping

    @property
    def identity(self) -> str:
        """The same text for the same key."""
        return json.dumps(self.__dict__, sort_keys=True)


@dataclass(frozen=True)
class Prediction:
    """The classes a model thinks likeliest, best first, with their logits."""

    top: tuple[int, ...]
    logits: tuple[float, ...]


@dataclass(frozen=True)
class Member:
    """One image of a data set."""

    image: int
    label: int
    name: str


@dataclass(frozen=True)
class StoredRun:
    """A run that the database has: ``images`` predictions, last evaluated on ``fingerprint``."""

    id: int
    model: str
    key: RunKey
    started: str
    images: int
    fingerprint: str | None


class Store:
    """The database at ``path``, or one in memory that is gone when it is closed."""

    def __init__(self, path: Path | None = None, *, create: bool = True):
        self.path = path
        if path is not None and not path.exists():
            if not create:
                raise RecordError(
                    f"No stored predictions at {path}. vanbench validate and verify write them."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite does not wait its turn to switch to a write-ahead log, hence the lock.
        with FileLock(f"{path}.lock") if path else nullcontext(), self._failures():
            self._db = sqlite3.connect(path or ":memory:", timeout=BUSY_SECONDS)
            self._db.isolation_level = None
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _prepare(self) -> None:
        """Create the tables in an empty database; RecordError if another version wrote it."""
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in TABLES.split(";")[:-1]:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if version not in (0, SCHEMA_VERSION):
            raise RecordError(
                f"{self.path}: stored predictions of schema {version}, expected {SCHEMA_VERSION}: "
                "another version of vanbench wrote them. Move the file away to start afresh."
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """SQLite's errors as a sentence with the file and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise RecordError(
                f"{self.path}: the stored predictions cannot be used: {error}. Free the disk, or "
                "move the file away to start afresh, or choose another folder with --results."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, with the write lock from the start."""
        with self._failures():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def run(self, model: str, key: RunKey, today: str) -> int:
        """The id of the run with that key, which is made if it is new."""
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO runs (model, identity, started) VALUES (?, ?, ?)",
                (model, key.identity, today),
            )
            query = "SELECT id FROM runs WHERE identity = ?"
            return self._db.execute(query, (key.identity,)).fetchone()[0]

    def forget(self, run: int) -> None:
        """Delete the predictions of a run."""
        with self._transaction():
            self._db.execute("DELETE FROM predictions WHERE run = ?", (run,))

    def image_ids(self, content: Mapping[int, str]) -> dict[int, int]:
        """Index → image id, for the SHA-256 (hex) of each index."""
        hashes = {index: bytes.fromhex(sha256) for index, sha256 in content.items()}
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO images (sha256) VALUES (?)", ((h,) for h in hashes.values())
            )
            query = "SELECT id FROM images WHERE sha256 = ?"
            return {i: self._db.execute(query, (h,)).fetchone()[0] for i, h in hashes.items()}

    def remember_set(
        self, fingerprint: str, class_ids: Sequence[str], members: Sequence[Member]
    ) -> int:
        """The id of the data set with that fingerprint, which is written down if it is new."""
        with self._transaction():
            query = "SELECT id FROM sets WHERE fingerprint = ?"
            known = self._db.execute(query, (fingerprint,)).fetchone()
            if known:
                return known[0]
            insert = "INSERT INTO sets (fingerprint, class_ids) VALUES (?, ?) RETURNING id"
            row = self._db.execute(insert, (fingerprint, " ".join(class_ids))).fetchone()
            self._db.executemany(
                "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
                ((row[0], i, m.image, m.label, m.name) for i, m in enumerate(members)),
            )
            return row[0]

    def remember_evaluation(self, run: int, data: int) -> None:
        """Write down that a run is being, or was last, applied to a data set."""
        with self._transaction():
            self._db.execute("DELETE FROM evaluations WHERE run = ? AND data = ?", (run, data))
            self._db.execute("INSERT INTO evaluations (run, data) VALUES (?, ?)", (run, data))

    def predicted(self, run: int) -> set[int]:
        """The image ids that the run has predictions for."""
        query = "SELECT image FROM predictions WHERE run = ?"
        with self._failures():
            return {image for (image,) in self._db.execute(query, (run,))}

    def add(self, rows: Iterable[tuple[int, int, Prediction]]) -> None:
        """Store (run, image id, prediction) rows, all or none of them.

        A prediction that is already there stays: two processes may meet on the same image.
        """
        packed = [
            (run, image, _pack("H", prediction.top), _pack("f", prediction.logits))
            for run, image, prediction in rows
        ]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO predictions VALUES (?, ?, ?, ?)", packed)

    def read(self, run: int) -> dict[int, Prediction]:
        """Image id → prediction, of everything that the run has."""
        query = "SELECT image, top, logits FROM predictions WHERE run = ?"
        with self._failures():
            return {
                image: Prediction(_unpack("H", top), _unpack("f", logits))
                for image, top, logits in self._db.execute(query, (run,))
            }

    def members(self, fingerprint: str) -> tuple[tuple[str, ...], list[Member]]:
        """The class ids of a data set and its images in order."""
        with self._failures():
            query = "SELECT id, class_ids FROM sets WHERE fingerprint = ?"
            data, class_ids = self._db.execute(query, (fingerprint,)).fetchone()
            query = "SELECT image, label, name FROM members WHERE data = ? ORDER BY position"
            return tuple(class_ids.split(" ")), [
                Member(*row) for row in self._db.execute(query, (data,))
            ]

    def hashes(self) -> dict[int, str]:
        """Image id → SHA-256 of the encoded image, in hex."""
        with self._failures():
            rows = self._db.execute("SELECT id, sha256 FROM images")
            return {image: sha256.hex() for image, sha256 in rows}

    def runs(self) -> list[StoredRun]:
        """Every run with predictions, oldest first."""
        query = """
            SELECT runs.id, model, identity, started,
                (SELECT count(*) FROM predictions WHERE run = runs.id) AS images,
                (SELECT fingerprint FROM evaluations JOIN sets ON sets.id = data
                    WHERE run = runs.id ORDER BY evaluations.id DESC LIMIT 1)
            FROM runs WHERE images > 0 ORDER BY runs.id
        """
        with self._failures():
            rows = self._db.execute(query).fetchall()
        return [
            StoredRun(id_, model, RunKey(**json.loads(identity)), started, images, fingerprint)
            for id_, model, identity, started, images, fingerprint in rows
        ]


def _pack(code: str, values: Iterable) -> bytes:
    packed = array(code, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(code: str, content: bytes) -> tuple:
    values = array(code)
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)
