"""Where evidence is written, in which order, and what becomes of files that a new record replaces."""

import hashlib
import os
from dataclasses import replace

import pytest

from tests.support.evidence import arranged, record_with_evidence
from tests.support.recorded import entry_in, full_record, in_precision
from vanbench.errors import RecordError
from vanbench.evidence import files, labels_file, top5_file
from vanbench.report import record_files
from vanbench.report.records import with_accuracy


@pytest.fixture
def record(tmp_path):
    return full_record(entry_in(tmp_path))


def all_files(results):
    return sorted(p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file())


def test_the_record_names_files_after_their_content(record, tmp_path):
    found = record_with_evidence(tmp_path / "results", record).accuracy.evidence
    for name, sha256 in ((found.file, found.sha256), (found.labels_file, found.labels_sha256)):
        content = (tmp_path / "results" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
    assert found.file == f"evidence/zoo/van_test.in1k.fp32.{found.sha256[:16]}.top5"
    assert found.labels_file == f"evidence/zoo/{found.labels_sha256[:16]}.labels"
    assert found.schema == 1


def test_the_same_predictions_are_the_same_files(record, tmp_path):
    for folder in ("one", "two"):
        record_with_evidence(tmp_path / folder, record)
    one, two = (
        {name: (tmp_path / folder / name).read_bytes() for name in all_files(tmp_path / folder)}
        for folder in ("one", "two")
    )
    assert one == two


def test_the_choices_say_whose_they_are(record, tmp_path):
    record = in_precision(record, "bf16")
    found = record_with_evidence(tmp_path, record, "bf16").other_precisions["bf16"].evidence
    about = top5_file.decode((tmp_path / found.file).read_bytes()).about
    accuracy = record.accuracy
    assert (about.zoo, about.model) == ("zoo", "van_test.in1k")
    assert (about.checkpoint, about.weights) == (accuracy.sha256, "plain")
    assert (about.precision, about.classes) == ("bf16", len(accuracy.protocol.class_ids))
    assert about.labels == found.labels_sha256
    labels = labels_file.decode((tmp_path / found.labels_file).read_bytes())
    assert labels.class_ids == accuracy.protocol.class_ids


def test_models_of_a_data_set_share_its_labels(record, tmp_path):
    record_with_evidence(tmp_path, record)
    record_with_evidence(tmp_path, replace(record, name="van_b0.other"))
    names = [p.suffix for p in (tmp_path / "evidence/zoo").iterdir()]
    assert sorted(names) == [".labels", ".top5", ".top5"]


@pytest.mark.parametrize("failing", [0, 1])
def test_a_write_that_fails_leaves_no_record_that_names_nothing(
    failing, record, tmp_path, monkeypatch
):
    results, fsync, calls = tmp_path / "results", os.fsync, []

    def full(number):
        calls.append(number)
        if len(calls) > failing:
            raise OSError(28, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        record_with_evidence(results, record)
    assert not list(results.rglob("*.json"))
    assert len(all_files(results)) == failing


def test_what_a_new_record_replaces_is_deleted_after_it(record, tmp_path):
    results = tmp_path / "results"
    old = record_with_evidence(results, in_precision(record, "bf16"), "bf16")
    old = record_with_evidence(results, old)
    before = set(all_files(results))
    better = replace(old.accuracy, correct1=old.accuracy.correct1 + 1)
    new = record_with_evidence(results, with_accuracy(old, better))
    files.remove_replaced(results, old, new)
    assert before - set(all_files(results)) == {old.accuracy.evidence.file}
    assert record_files.read_file(results / "zoo/van_test.in1k.json", "zoo", new.name, None) == new
    files.remove_replaced(results, new, replace(new, accuracy=None))
    assert not (results / new.accuracy.evidence.file).exists()
    assert (results / new.other_precisions["bf16"].evidence.file).exists()


def test_nothing_that_is_named_otherwise_is_deleted(record, tmp_path):
    """A record from a stranger may name any file."""
    results = tmp_path / "results"
    old = record_with_evidence(results, record)
    (results / "precious").write_text("")
    for name in ("precious", "../results/precious"):
        evidence = replace(old.accuracy.evidence, file=name)
        edited = with_accuracy(old, replace(old.accuracy, evidence=evidence))
        files.remove_replaced(results, edited, replace(old, accuracy=None))
    assert (results / "precious").exists()


def test_files_that_no_record_names(record, tmp_path):
    found = record_with_evidence(tmp_path, record)
    assert files.unused(tmp_path, [found]) == []
    evidence = found.accuracy.evidence
    assert files.unused(tmp_path, []) == sorted([evidence.file, evidence.labels_file])


def test_two_images_with_one_id_are_an_error(record, tmp_path):
    labelled, choices = arranged(2, 1, 1)
    labelled.append((labelled[0][0][:16] + "0" * 48, 1))
    with pytest.raises(RecordError, match="no evidence of the accuracy can be kept: images"):
        files.write(tmp_path, record, record.accuracy, labelled, choices)
    assert all_files(tmp_path) == ["zoo.toml"]
