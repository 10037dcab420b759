"""The names of stored runs: at once, without a lock, and without a trace in the folder."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.special_files import named_pipe
from vanbench.errors import RecordError
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.run_names import MOST_RUNS, RunName, run_names
from vanbench.prediction_store.store import FILE, RunKey, Store


def stored(path, *models):
    """A database with a run of each model."""
    with Store(path) as store:
        image = store.image_ids({0: "aa" * 32})[0]
        for number, model in enumerate(models):
            run = store.run(model, RunKey(f"{number}", {}, {}), "2026-01-01")
            store.add([(run, image, Prediction((1,), (0.0,)))])
        store.run("without predictions", RunKey("none", {}, {}), "2026-01-01")
    return path


def test_newest_first_and_only_those_with_predictions(tmp_path):
    path = stored(tmp_path / FILE, "a.x", "b.x", "a.x")
    before = sorted(os.listdir(tmp_path))
    assert run_names(path) == [
        RunName(3, "a.x", "2026-01-01"), RunName(2, "b.x", "2026-01-01"), RunName(1, "a.x", "2026-01-01"),
    ]  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == before


def test_the_last_hundred(tmp_path):
    path = stored(tmp_path / FILE, *["a.x"] * (MOST_RUNS + 5))
    assert [run.id for run in run_names(path)] == list(range(MOST_RUNS + 5, 5, -1))


def test_no_database(tmp_path):
    assert run_names(tmp_path / FILE) == []
    (tmp_path / FILE).touch()
    assert run_names(tmp_path / FILE) == []


def test_while_another_process_writes(tmp_path):
    """It has the lock; what it has committed is there."""
    path = stored(tmp_path / FILE, "a.x")
    with Store(path) as store:
        run = store.run("b.x", RunKey("b", {}, {}), "2026-01-02")
        store.add([(run, 1, Prediction((1,), (0.0,)))])
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        begin = time.perf_counter()
        assert [run.model for run in run_names(path)] == ["b.x", "a.x"]
        assert time.perf_counter() - begin < 2
        writer.execute("ROLLBACK")
        writer.close()


def test_a_folder_with_characters_that_a_url_escapes(tmp_path):
    folder = tmp_path / "a b?c#d%20é"
    folder.mkdir()
    assert [run.model for run in run_names(stored(folder / FILE, "a.x"))] == ["a.x"]


def test_a_relative_path(tmp_path, monkeypatch):
    stored(tmp_path / FILE, "a.x")
    monkeypatch.chdir(tmp_path)
    assert [run.id for run in run_names(Path(FILE))] == [1]


def of_a_later_version(path):
    stored(path, "a.x")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")


def with_a_view(path):
    """SQLite would run what it defines."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
        database.execute("CREATE VIEW runs AS SELECT 1 AS id, 'a' AS model, 'b' AS started")


@pytest.mark.parametrize(
    "make",
    [
        with_a_view,
        of_a_later_version,
        named_pipe,
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.write_bytes(stored(path.with_name("other"), "a.x").read_bytes()[:5000]),
    ],
    ids=["view", "later", "pipe", "text", "half"],
)
def test_what_cannot_be_read_is_an_error(tmp_path, make):
    make(tmp_path / FILE)
    with pytest.raises(RecordError):
        run_names(tmp_path / FILE)
