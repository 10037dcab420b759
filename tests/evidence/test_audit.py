"""Records whose accuracies follow from evidence, and every fault that is planted in them."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest

from tests.support.evidence import record_with_evidence, sha256_of
from tests.support.recorded import NAME, entry_in, full_record, in_precision
from vanbench.evidence import top5_file
from vanbench.evidence.audit import CONTRADICTED, FOLLOWS, NO_EVIDENCE, audit
from vanbench.prediction_store.prediction import Tally
from vanbench.report import record_files
from vanbench.zoo.reader import load_zoo


class Place:
    """Results with one record in fp32 and bf16, and what an audit of it finds."""

    def __init__(self, folder):
        self.entry = entry_in(folder)
        self.zoos = [load_zoo(str(folder / "zoo.toml"))]
        self.results = folder / "results"
        record = in_precision(full_record(self.entry), "bf16", correct1=4)
        record = record_with_evidence(self.results, record, "bf16")
        self.record = record_with_evidence(self.results, record)
        self.path = self.results / "zoo" / f"{NAME}.json"
        self.evidence = self.record.accuracy.evidence

    def edit(self, change):
        """Change the JSON of the record."""
        document = json.loads(self.path.read_text())
        change(document)
        self.path.write_text(json.dumps(document))

    def rewrite(self, change):
        """Replace the file of choices in fp32, and its hash and name in the record."""
        old = self.results / self.evidence.file
        content = change(old.read_bytes())
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"evidence/zoo/{NAME}.fp32.{sha256[:16]}.top5"
        (self.results / name).write_bytes(content)
        self.edit(lambda d: d["accuracy"]["evidence"].update(file=name, sha256=sha256))
        return name

    def audit(self, zoos=None):
        return audit(self.path, self.zoos if zoos is None else zoos)

    def findings(self):
        return [str(finding) for finding in self.audit().findings]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_counts_and_verdicts_follow(place):
    found = place.audit()
    assert found.findings == ()
    assert [(a.precision, a.status, a.tally) for a in found.accuracies] == [
        ("fp32", FOLLOWS, Tally(10, 5, 7)),
        ("bf16", FOLLOWS, Tally(10, 4, 7)),
    ]
    fp32, bf16 = found.accuracies
    assert fp32.row.top1.verdict == "reproduced"  # the claim is 50.00
    assert bf16.row is None
    assert (found.zoo, found.name, found.entry) == ("zoo", NAME, place.entry)


def test_a_record_of_an_unknown_zoo_is_audited_but_not_judged(place):
    found = place.audit(zoos=[])
    assert [a.status for a in found.accuracies] == [FOLLOWS, FOLLOWS]
    assert found.entry is None
    assert found.accuracies[0].row is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct1": 6}, "accuracy.correct1: expected 5, found 6"),
        ({"correct5": 8}, "accuracy.correct5: expected 7, found 8"),
        ({"sha256": "0" * 64}, "accuracy.sha256 is 000"),
        ({"evidence": None}, "accuracy.evidence: expected files of evidence, as every accuracy has "
         "since 2026-11-25, found none"),
    ],
)  # fmt: skip
def test_an_edited_record_is_found(change, message, place):
    place.edit(lambda d: d["accuracy"].update(change))
    (finding,) = place.findings()
    assert message in finding


def test_every_edited_number_of_another_precision_is_found(place):
    place.edit(lambda d: d["other_precisions"]["bf16"].update(correct1=5))
    assert place.findings() == ["other_precisions.bf16.correct1: expected 4, found 5"]


def test_fewer_images_are_found(place):
    """Also where all numbers of the record agree with each other."""

    def halve(document):
        accuracy = document["accuracy"]
        accuracy.update(images=7)
        accuracy["data"].update(images=7, used=7, total=7)

    place.edit(halve)
    assert place.findings() == ["accuracy.images: expected 10, found 7"]


def test_another_data_set_is_found(place):
    place.edit(lambda d: d["accuracy"]["data"].update(fingerprint="ab" * 32, classes=9))
    first, second = place.findings()
    assert first.startswith("accuracy.data.fingerprint: expected ")
    assert first.endswith(f"found {'ab' * 32}")
    assert second == "accuracy.data.classes: expected 10, found 9"


@pytest.mark.parametrize("key", ["file", "labels_file"])
def test_a_missing_file_is_found(key, place):
    name = getattr(place.evidence, key)
    (place.results / name).unlink()
    findings = place.findings()
    assert (
        f"{name}: expected the file that the record names, found there is no such file" in findings
    )


@pytest.mark.parametrize("position", [0, 50, 300, -1])
@pytest.mark.parametrize("key", ["file", "labels_file"])
def test_a_flipped_bit_is_found(key, position, place):
    path = place.results / getattr(place.evidence, key)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    expected = getattr(place.evidence, key.replace("file", "sha256"))
    assert f"{path.relative_to(place.results)}: SHA-256: expected {expected}" in place.findings()[0]
    assert place.audit().accuracies[0].status == CONTRADICTED


def test_swapped_files_are_found(place):
    """The choices in bf16 under the name of those in fp32, and the other way round."""
    fp32, bf16 = place.evidence, place.record.other_precisions["bf16"].evidence
    one, other = place.results / fp32.file, place.results / bf16.file
    shutil.move(one, one.with_suffix(".moved"))
    shutil.move(other, one)
    shutil.move(one.with_suffix(".moved"), other)
    assert len(place.findings()) == 2


def test_the_evidence_of_another_precision_is_found(place):
    """Named by its own hash."""
    bf16 = place.record.other_precisions["bf16"].evidence
    name = place.rewrite(lambda _: (place.results / bf16.file).read_bytes())
    assert place.findings() == [
        f"{name}: precision: expected fp32, found bf16",
        "accuracy.correct1: expected 4, found 5",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("zoo", "other"), ("model", "van_b0.in1k"), ("checkpoint", "ab" * 32), ("weights", "ema"),
     ("labels", "cd" * 32)],
)  # fmt: skip
def test_foreign_evidence_is_found(key, value, place):
    """Of another zoo, model, file, kind of weights or data set, with the same counts."""

    def foreign(content):
        top5 = top5_file.decode(content)
        return top5_file.encode(replace(top5, about=replace(top5.about, **{key: value})))

    name = place.rewrite(foreign)
    (finding,) = place.findings()
    assert finding.startswith(f"{name}: {key}: expected ")
    assert finding.endswith(f", found {value}")


def test_choices_for_other_images_are_found(place):
    def other_images(content):
        top5 = top5_file.decode(content)
        rows = {sha256_of(100 + i): top for i, (_, top) in enumerate(top5.rows)}
        return top5_file.encode(top5_file.top5_of(top5.about, rows))

    name = place.rewrite(other_images)
    (finding,) = place.findings()
    assert finding.startswith(f"{name}: expected ")
    assert " of the labels, found " in finding


def test_choices_that_are_missing_must_be_listed_as_unreadable(place):
    def without_one(content):
        top5 = top5_file.decode(content)
        rows = [(image, top) for image, top in top5.rows]
        wrong = next(i for i, (_, top) in enumerate(rows) if top and i)
        rows[wrong] = (rows[wrong][0], ())
        return top5_file.encode(top5_file.Top5(top5.about, tuple(rows)))

    place.rewrite(without_one)
    assert (
        "accuracy.data.unreadable: expected at least the 1 images without choices, found 0"
        in place.findings()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "accuracy.evidence.schema: expected 1, found 2"),
        ({"file": "evidence/zoo/x.top5"}, "accuracy.evidence.file: expected evidence/zoo/van_test"),
        ({"labels_file": "../../etc/passwd"}, "found ../../etc/passwd"),
        ({"sha256": "ab" * 32}, "accuracy.evidence.file: expected evidence/zoo/van_test.in1k.fp32."
         "abababababababab.top5"),
    ],
)  # fmt: skip
def test_only_the_records_own_files_are_opened(change, message, place):
    place.edit(lambda d: d["accuracy"]["evidence"].update(change))
    (finding,) = place.findings()
    assert message in finding


@pytest.mark.parametrize("content", ["", "{}", "[" * 10_000, '{"schema": 9}'])
def test_a_file_that_is_no_record_is_found(content, place):
    place.path.write_text(content)
    (finding,) = place.findings()
    assert finding.startswith("record: expected one that fits itself and the zoo, found ")


def test_a_record_under_another_name_is_found(place):
    moved = place.path.with_name("van_b0.in1k.json")
    place.path.rename(moved)
    (finding,) = audit(moved, place.zoos).findings
    assert (
        "expected the record of zoo/van_b0.in1k, found that of zoo/van_test.in1k" in finding.found
    )


def test_an_old_accuracy_without_evidence_is_not_accused(place):
    place.edit(lambda d: d["accuracy"].update(evidence=None, date="2026-11-24"))
    found = place.audit()
    assert found.findings == ()
    assert [a.status for a in found.accuracies] == [NO_EVIDENCE, FOLLOWS]


def test_failed_attempts_are_audited_too(place):
    """The table shows them where there is no full record."""
    record_files.write_failed(place.results, place.record)
    failed = place.results / "zoo/failed" / place.path.name
    assert record_files.all_files(place.results) == [failed, place.path]
    assert [a.status for a in audit(failed, place.zoos).accuracies] == [FOLLOWS, FOLLOWS]


def test_records_are_told_from_other_files(place):
    for name in ("bench/van_b0.json", "evidence/x.json", "zoo/counts.svg", "x.json"):
        path = place.results / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert record_files.all_files(place.results) == [place.path]


def test_a_relative_path_is_enough(place, monkeypatch):
    monkeypatch.chdir(place.path.parent)
    found = audit(place.path.relative_to(place.path.parent), place.zoos)
    assert (found.zoo, found.findings) == ("zoo", ())
