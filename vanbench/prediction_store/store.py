"""Predictions as they are made, in an SQLite database that survives a crash.

A prediction belongs to an image by its content (SHA-256 of the encoded file) and to a run: one
checkpoint under one protocol and one set of numerics. So predictions do not depend on batches,
processes, the layout of the data, or other images and models. A data set is stored as the list of
its images with their labels and names, and with the class ids that the labels count in.

Each batch is one transaction in a write-ahead log: a killed process loses at most the last one.
"""

import json
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from filelock import FileLock

from vanbench.errors import RecordError, located
from vanbench.outside.json_text import bounded_json
from vanbench.outside.safe_text import for_terminal
from vanbench.prediction_store.database import (
    MOVE_AWAY,
    check_integrity,
    check_objects,
    connect,
    failures,
    is_there,
)
from vanbench.prediction_store.prediction import TOP, Prediction
from vanbench.prediction_store.schema import (
    COLUMNS,
    SCHEMA_VERSION,
    Member,
    checksum,
    digest_of,
    insert_set,
    prepare,
    version_of,
)

FILE = "predictions.sqlite"


@dataclass(frozen=True)
class RunKey:
    """What decides a prediction, besides the image.

    ``checkpoint`` is the file's SHA-256; ``numerics`` holds everything that can change a logit:
    precision, device, the versions of the libraries and of the code. Both mappings are JSON.
    """

    checkpoint: str
    protocol: Mapping[str, Any]
    numerics: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """The same text for the same key."""
        return json.dumps(self.__dict__, sort_keys=True)

    @classmethod
    def of(cls, value: Any) -> "RunKey":
        """The key in a JSON value from outside; ValueError if it is none."""
        kinds = {"checkpoint": str, "protocol": dict, "numerics": dict}
        if not isinstance(value, dict) or not all(
            isinstance(value.get(name), kind) for name, kind in kinds.items()
        ):
            raise ValueError("expected an object with checkpoint, protocol and numerics")
        return cls(**{name: value[name] for name in kinds})


@dataclass(frozen=True)
class StoredSet:
    """A data set that runs were applied to: its images in order; labels count in ``class_ids``."""

    fingerprint: str
    class_ids: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True)
class StoredRun:
    """A run that the database has, with ``images`` predictions.

    ``data`` is the id of the set that the run was last applied to, with its ``fingerprint``; None
    for a run that was applied to none.
    """

    id: int
    model: str
    key: RunKey
    started: str
    images: int
    data: int | None
    fingerprint: str | None


class Store:
    """The database at ``path``, or one in memory that is gone when it is closed."""

    def __init__(self, path: Path | None = None, *, create: bool = True):
        self.path = path
        with self._failures():
            if path is not None and not is_there(path):
                if not create:
                    raise RecordError(
                        "expected stored predictions, found no file",
                        where=path,
                        remedy="vanbench validate and vanbench verify write it. Choose the folder "
                        "with --results.",
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite does not wait for other processes while it switches to a write-ahead log.
            with FileLock(f"{path}.lock") if path else nullcontext():
                self._db = connect(path)
                try:
                    self._prepare()
                except BaseException:
                    self._db.close()
                    raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _prepare(self) -> None:
        """Check what is there; create or convert the tables.

        RecordError if the file is damaged, has other tables, or is of a later version of vanbench.
        """
        with located(self.path or "memory"), self._transaction():
            version = version_of(self._db)
            self._check_version(version)
            check_objects(self._db, self.path, COLUMNS[version])
            check_integrity(self._db, self.path)
            if version != SCHEMA_VERSION:
                prepare(self._db, version)

    def _check_version(self, version: int) -> None:
        if version in COLUMNS:
            return
        newer = version > SCHEMA_VERSION
        raise RecordError(
            f"expected stored predictions of schema {SCHEMA_VERSION} or older, found schema "
            f"{version}" + (", which a newer vanbench wrote" if newer else ""),
            where=self.path,
            remedy="Install that version, or choose another folder with --results."
            if newer
            else MOVE_AWAY,
        )

    def _failures(self) -> AbstractContextManager[None]:
        return failures(self.path)

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

    def forget(self, run: int, images: Iterable[int]) -> None:
        """Delete the predictions of a run for these images."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM predictions WHERE run = ? AND image = ?",
                ((run, image) for image in images),
            )

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
        """The id of the data set with these classes and members, which is stored if it is new."""
        with self._transaction():
            return insert_set(self._db, fingerprint, class_ids, members)

    def remember_evaluation(self, run: int, data: int) -> None:
        """Store that a run is being, or was last, applied to a data set."""
        with self._transaction():
            self._db.execute("DELETE FROM evaluations WHERE run = ? AND data = ?", (run, data))
            self._db.execute("INSERT INTO evaluations (run, data) VALUES (?, ?)", (run, data))

    def add(self, rows: Iterable[tuple[int, int, Prediction]]) -> None:
        """Store (run, image id, prediction) rows, all or none of them.

        A prediction that is already there stays: two processes may meet on the same image.
        """
        packed = []
        for run, image, prediction in rows:
            top, logits = _pack("H", prediction.top), _pack("f", prediction.logits)
            packed.append((run, image, top, logits, checksum(run, image, top, logits)))
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO predictions VALUES (?, ?, ?, ?, ?)", packed)

    def read(self, run: int, *, classes: int | None = None) -> dict[int, Prediction]:
        """Image id → prediction, of everything that the run has at one moment.

        Raises RecordError for a row that is not as it was stored, or that has a class beyond the
        number of ``classes``.
        """
        query = "SELECT image, top, logits, crc32 FROM predictions WHERE run = ?"
        with self._failures():
            rows = self._db.execute(query, (run,)).fetchall()
        found = {}
        for image, top, logits, crc32 in rows:
            prediction = _unpacked(run, image, top, logits, crc32)
            if prediction is None or (classes is not None and max(prediction.top) >= classes):
                raise RecordError(
                    f"the prediction of run {run} for image {image} is damaged or was edited",
                    where=self.path,
                    remedy="Run the validation of these images again with --fresh, or move the "
                    "file away.",
                )
            found[image] = prediction
        return found

    def data_set(self, data: int) -> StoredSet:
        """The data set of that id; RecordError if it is not as it was stored."""
        with self._failures():
            query = "SELECT digest, fingerprint, class_ids FROM sets WHERE id = ?"
            row = self._db.execute(query, (data,)).fetchone()
            query = "SELECT image, label, name FROM members WHERE data = ? ORDER BY position"
            members = tuple(Member(*found) for found in self._db.execute(query, (data,)))
        class_ids = None if row is None else _class_ids(row[2])
        if (
            class_ids is not None
            and row[0] == digest_of(row[1], class_ids, members)
            and all(0 <= member.label < len(class_ids) for member in members)
        ):
            return StoredSet(row[1], class_ids, members)
        raise RecordError(
            f"the list of images of data set {data} is damaged or was edited",
            where=self.path,
            remedy="Move the file away, and run the validation again.",
        )

    def hashes(self) -> dict[int, str]:
        """Image id → SHA-256 of the encoded image, in hex; RecordError if one is none."""
        with self._failures():
            rows = self._db.execute("SELECT id, sha256 FROM images").fetchall()
        for image, sha256 in rows:
            if not isinstance(sha256, bytes) or len(sha256) != 32:
                problem = f"the SHA-256 of image {image} is damaged or was edited"
                raise RecordError(problem, where=self.path, remedy=MOVE_AWAY)
        return {image: sha256.hex() for image, sha256 in rows}

    def runs(self) -> list[StoredRun]:
        """Every run with predictions, oldest first."""
        query = """
            SELECT runs.id, model, identity, started,
                (SELECT count(*) FROM predictions WHERE run = runs.id) AS images,
                (SELECT data FROM evaluations WHERE run = runs.id
                    ORDER BY evaluations.id DESC LIMIT 1) AS last
            FROM runs WHERE images > 0 ORDER BY runs.id
        """
        query = f"SELECT last.*, fingerprint FROM ({query}) last LEFT JOIN sets ON sets.id = last"
        with self._failures():
            rows = self._db.execute(query).fetchall()
        return [
            StoredRun(run, model, self._key(run, model, identity), *others)
            for run, model, identity, *others in rows
        ]

    def _key(self, run: int, model: str, identity: str) -> RunKey:
        try:
            return RunKey.of(bounded_json(identity))
        except ValueError as error:
            name = for_terminal(model, most=100)
            raise RecordError(
                f"the key of run {run} ({name}) is damaged or was edited: {error}",
                where=self.path,
                remedy=MOVE_AWAY,
            ) from error


def _class_ids(text: str) -> tuple[str, ...] | None:
    """The class ids of a stored set; None if the text is no JSON list of texts."""
    try:
        found = bounded_json(text)
    except ValueError:
        return None
    is_list = isinstance(found, list) and all(isinstance(name, str) for name in found)
    return tuple(found) if is_list else None


def _unpacked(run: int, image: int, top: bytes, logits: bytes, crc32: int) -> Prediction | None:
    """The prediction of a row; None if the row is not one that was stored."""
    if len(top) > 2 * TOP or len(top) % 2 or len(logits) != 2 * len(top):
        return None
    if crc32 != checksum(run, image, top, logits):
        return None
    prediction = Prediction(_unpack("H", top), _unpack("f", logits))
    return prediction if _is_sound(prediction) else None


def _is_sound(prediction: Prediction) -> bool:
    """Whether this can be what a model predicted: distinct classes, best first."""
    top, logits = prediction.top, prediction.logits
    ordered = all(a >= b for a, b in pairwise(logits))
    return 0 < len(set(top)) == len(top) <= TOP and all(map(math.isfinite, logits)) and ordered


def _pack(code: str, values: Iterable[float]) -> bytes:
    packed = array(code, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(code: str, content: bytes) -> tuple[Any, ...]:
    values: array[Any] = array(code)
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)
