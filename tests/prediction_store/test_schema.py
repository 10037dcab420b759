"""Databases of schema 1, written here with its SQL, give right answers after they are opened."""

import hashlib
import json
import sqlite3
import struct
import subprocess
import sys

import pytest

from vanbench.errors import RecordError
from vanbench.prediction_store.rows import stored_rows, stored_tally
from vanbench.prediction_store.schema import SCHEMA_VERSION
from vanbench.prediction_store.store import FILE, Store
from vanbench.zoo.class_ids import imagenet_1k

SCHEMA_1 = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    identity TEXT NOT NULL UNIQUE,
    started TEXT NOT NULL
) STRICT;
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE predictions (
    run INTEGER NOT NULL REFERENCES runs,
    image INTEGER NOT NULL REFERENCES images,
    top BLOB NOT NULL,
    logits BLOB NOT NULL,
    PRIMARY KEY (run, image)
) STRICT, WITHOUT ROWID;
CREATE TABLE sets (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    class_ids TEXT NOT NULL
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
PRAGMA user_version = 1;
"""


def sha256(number):
    return hashlib.sha256(str(number).encode()).digest()


class OldDatabase:
    """A database as vanbench 0.1.0 wrote it."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(SCHEMA_1)

    def run(self, classes, images, top, model="m"):
        """A run over ``images`` (class id by number) with these first choices (label by number)."""
        ids = imagenet_1k() if classes == "imagenet-1k" else classes
        key = {"checkpoint": "c" * 64, "numerics": {"vanbench": "0.1.0"},
               "protocol": {"classes": classes if classes == "imagenet-1k" else list(classes)}}  # fmt: skip
        identity = json.dumps(key, sort_keys=True)
        lines = sorted(f"{images[n]} {sha256(n).hex()}\n" for n in images)
        fingerprint = hashlib.sha256("".join(lines).encode()).hexdigest()
        with self.db:
            insert = "INSERT INTO runs (model, identity, started) VALUES (?, ?, '2026-01-01')"
            run = self.db.execute(insert, (model, identity)).lastrowid
            for number in images:
                insert = "INSERT OR IGNORE INTO images (sha256) VALUES (?)"
                self.db.execute(insert, (sha256(number),))
            members = [(self._image(n), ids.index(images[n]), f"{n}.JPEG") for n in images]
            data = self._set(fingerprint, " ".join(ids), members)
            self.db.execute("INSERT INTO evaluations (run, data) VALUES (?, ?)", (run, data))
            for number, label in top.items():
                insert = "INSERT INTO predictions VALUES (?, ?, ?, ?)"
                logits = struct.pack("<2f", 2.5, -1.0)
                other = (label + 1) % len(ids)
                self.db.execute(
                    insert, (run, self._image(number), struct.pack("<2H", label, other), logits)
                )
        return run

    def _image(self, number):
        query = "SELECT id FROM images WHERE sha256 = ?"
        return self.db.execute(query, (sha256(number),)).fetchone()[0]

    def _set(self, fingerprint, joined, members):
        query = "SELECT id FROM sets WHERE fingerprint = ?"
        known = self.db.execute(query, (fingerprint,)).fetchone()
        if known:  # whatever classes it was stored with: the mistake of schema 1
            return known[0]
        insert = "INSERT INTO sets (fingerprint, class_ids) VALUES (?, ?)"
        data = self.db.execute(insert, (fingerprint, joined)).lastrowid
        rows = ((data, i, *member) for i, member in enumerate(members))
        self.db.executemany("INSERT INTO members VALUES (?, ?, ?, ?, ?)", rows)
        return data


def exported(path):
    """By run: image, class and first choice of each row; and the counts."""
    with Store(path) as store:
        return [
            (
                [(row.name, row.wnid, row.top[0]) for row in stored_rows(store, run)],
                stored_tally(store, run).correct1,
            )
            for run in store.runs()
        ]


@pytest.fixture
def old(tmp_path):
    database = OldDatabase(tmp_path / FILE)
    yield database
    database.db.close()


def test_predictions_and_sets_are_as_they_were(old):
    old.run(("p", "q", "r"), {1: "q", 2: "r", 3: "p"}, {1: 1, 2: 0, 3: 0})
    old.db.close()
    rows = [("1.JPEG", "q", "q"), ("2.JPEG", "r", "p"), ("3.JPEG", "p", "p")]
    for _ in range(2):  # converted, and opened again
        assert exported(old.path) == [(rows, 2)]
    with Store(old.path) as store:
        (run,) = store.runs()
        assert run.key.numerics == {"vanbench": "0.1.0"}
        assert {p.logits for p in store.read(run.id).values()} == {(2.5, -1.0)}
        assert store.data_set(run.data).fingerprint == run.fingerprint


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_runs_with_other_classes_over_the_same_images_have_their_own(order, old):
    """The first run's classes were stored for both."""
    few = imagenet_1k()[100:110]
    images = {n: few[n % 10] for n in range(20)}
    right = {n: n < 13 for n in images}
    wanted = [(n, few[n % 10], few[n % 10] if right[n] else few[(n + 1) % 10]) for n in range(20)]
    for which in order:
        classes, first = ((few, 0), ("imagenet-1k", 100))[which]
        top = {n: first + (n if right[n] else n + 1) % 10 for n in images}
        old.run(classes, images, top)
    old.db.close()
    rows = [(f"{n}.JPEG", class_id, choice) for n, class_id, choice in wanted]
    assert exported(old.path) == [(rows, 13), (rows, 13)]


def test_class_ids_with_spaces(old):
    classes = ("hot dog", "cat", "ice cream")
    old.run(classes, {1: "cat", 2: "hot dog"}, {1: 1, 2: 2})
    old.db.close()
    rows = [("1.JPEG", "cat", "cat"), ("2.JPEG", "hot dog", "ice cream")]
    assert exported(old.path) == [(rows, 1)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_lists_of_classes_that_give_the_same_text(order, old):
    lists = (("a b", "x"), ("a", "b", "x"))
    for which in order:
        classes = lists[which]
        old.run(classes, {1: "x", 2: "x"}, {1: classes.index("x"), 2: 0})
    old.db.close()
    wanted = [[("1.JPEG", "x", "x"), ("2.JPEG", "x", lists[which][0])] for which in order]
    assert exported(old.path) == [(rows, 1) for rows in wanted]


def test_the_set_that_a_run_was_last_applied_to_stays_the_last(old):
    classes = ("p", "q")
    run = old.run(classes, {1: "q", 2: "p"}, {1: 1, 2: 0})
    with old.db:
        data = old._set("f00d", "p q", [(1, 0, "other.JPEG")])
        old.db.execute("INSERT INTO evaluations (id, run, data) VALUES (9, ?, ?)", (run, data))
    old.db.close()
    with Store(old.path) as store:
        (found,) = store.runs()
        assert found.fingerprint == "f00d"
        assert [row.name for row in stored_rows(store, found)] == ["other.JPEG"]


def test_a_conversion_that_fails_changes_nothing(old):
    old.run(("p", "q"), {1: "q"}, {1: 1})
    with old.db:
        old.db.execute("UPDATE members SET image = 77")  # an image that is not there
    before = list(old.db.iterdump())
    with pytest.raises(RecordError, match="cannot be converted"):
        Store(old.path)
    assert list(old.db.iterdump()) == before
    assert old.db.execute("PRAGMA user_version").fetchone() == (1,)


def test_processes_that_open_an_old_database_at_once(old):
    old.run(("p", "q"), dict.fromkeys(range(300), "q"), {n: n % 2 for n in range(300)})
    old.db.close()
    code = (
        "import sys; from pathlib import Path\n"
        "from vanbench.prediction_store.store import Store\n"
        "print([run.images for run in Store(Path(sys.argv[1])).runs()])"
    )
    command = [sys.executable, "-c", code, str(old.path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == ["[300]\n"] * 3
    database = sqlite3.connect(old.path)
    assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {name for (name,) in tables} == {
        "runs", "images", "predictions", "sets", "members", "evaluations"
    }  # fmt: skip
    database.close()
    assert exported(old.path)[0][1] == 150


def test_an_emptied_prediction_of_an_old_database_is_an_error(old):
    old.run(("p", "q"), {1: "q"}, {1: 1})
    with old.db:
        old.db.execute("UPDATE predictions SET top = x'', logits = x''")
    old.db.close()
    with Store(old.path) as store, pytest.raises(RecordError, match="damaged or was edited"):
        store.read(1)
