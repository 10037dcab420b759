"""Opening an SQLite file from outside: what it may be, and what it may hold."""

import os
import sqlite3

import pytest

from vanbench.errors import RecordError
from vanbench.prediction_store.database import check_objects, connect, failures, is_there


def test_a_file_that_is_not_there_and_one_that_is(tmp_path):
    path = tmp_path / "p.sqlite"
    assert not is_there(path)
    connect(path).close()
    assert is_there(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal", ".lock"])
def test_a_folder_in_place_of_a_file_is_named(tmp_path, suffix):
    path = tmp_path / "p.sqlite"
    os.mkdir(f"{path}{suffix}")
    with pytest.raises(RecordError, match="found a folder") as caught:
        is_there(path)
    assert f"{path}{suffix}" in str(caught.value)


def test_sqlite_errors_name_the_file_and_what_to_do(tmp_path):
    with pytest.raises(RecordError) as caught, failures(tmp_path):
        raise sqlite3.DatabaseError("file is not a database\x1b")
    assert str(caught.value).startswith(f"{tmp_path}: the stored predictions cannot be used: file")
    assert str(caught.value).isprintable()
    assert caught.value.remedy


def test_only_the_expected_tables_may_be_there(tmp_path):
    expected = {"runs": (("id", "INTEGER"), ("model", "TEXT"))}
    database = connect(tmp_path / "p.sqlite")
    database.execute("CREATE TABLE runs (id INTEGER, model TEXT)")
    check_objects(database, None, expected)
    database.execute("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END")
    with pytest.raises(RecordError):
        check_objects(database, None, expected)
    database.close()
