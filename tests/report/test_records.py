"""Records: whole or not at all, read strictly, merged without loss."""

import json
import os
from dataclasses import replace

import pytest

from vanbench.errors import RecordError
from vanbench.report import records
from vanbench.report.records import Accuracy, Checkpoint, Counts, Record, merge

CHECKPOINT = Checkpoint("https://x/y.pth", "y.pth", "verified", "2026-01-01", bytes=5, sha256="ab")
COUNTS = Counts(
    "checkpoint",
    {"arch": "van_b0"},
    224,
    10,
    8,
    {"fvcore": 1, "openmmlab": 2},
    {},
    "2026-01-01",
    {},
)
ACCURACY = Accuracy("ab", 10, 5, 7, {}, {}, {}, 1.5, 0.5, "2026-01-01", {})
FULL = Record("zoo", "van_b0.in1k", CHECKPOINT, COUNTS, ACCURACY)
GONE = replace(CHECKPOINT, status="unreachable", sha256=None, bytes=None, reason="DNS")


def test_round_trip(tmp_path):
    records.write(tmp_path, FULL)
    assert records.read(tmp_path, "zoo", "van_b0.in1k") == FULL
    assert records.read(tmp_path, "zoo", "other") is None


def test_a_success_forgets_the_failure(tmp_path):
    failed = replace(FULL, checkpoint=GONE, accuracy=None)
    records.write_failed(tmp_path, failed)
    assert records.read_failed(tmp_path, "zoo", "van_b0.in1k") == failed
    records.write(tmp_path, FULL)
    assert records.read_failed(tmp_path, "zoo", "van_b0.in1k") is None


def test_merge_keeps_what_the_new_run_did_not_measure():
    new = Record("zoo", "van_b0.in1k", CHECKPOINT, replace(COUNTS, date="2027-01-01"))
    assert merge(FULL, new) == replace(FULL, counts=new.counts)
    assert merge(None, new) == new


def test_merge_keeps_the_file_that_was_there():
    declared = replace(COUNTS, source="architecture")
    assert merge(FULL, Record("zoo", "van_b0.in1k", GONE, declared)) == FULL


def test_merge_drops_the_accuracy_of_another_file():
    new = Record("zoo", "van_b0.in1k", replace(CHECKPOINT, sha256="cd"), COUNTS)
    assert merge(FULL, new).accuracy is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema=2), "schema 1"),
        (lambda d: d.update(name="other"), "it is the record of zoo/other"),
        (lambda d: d.update(surprise=1), "unknown key 'surprise'"),
        (lambda d: d["counts"].update(params="10"), "key 'params'"),
        (lambda d: d["counts"].update(params=True), "key 'params'"),
        (lambda d: d["accuracy"].pop("images"), "missing one of images"),
        (lambda d: d.update(counts=[1]), "expected an object for Counts"),
    ],
)
def test_a_malformed_record_is_refused_with_its_path(tmp_path, change, message):
    records.write(tmp_path, FULL)
    path = tmp_path / "zoo" / "van_b0.in1k.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(RecordError, match=message) as caught:
        records.read(tmp_path, "zoo", "van_b0.in1k")
    assert str(path) in str(caught.value)


def test_half_a_record_is_refused(tmp_path):
    records.write(tmp_path, FULL)
    path = tmp_path / "zoo" / "van_b0.in1k.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(RecordError, match="not a readable record"):
        records.read(tmp_path, "zoo", "van_b0.in1k")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    records.write_atomically(path, "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        records.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_existing_files_mode_is_kept(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    records.write_atomically(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640
