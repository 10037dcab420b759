"""Records: whole or not at all, read strictly, merged without loss."""

import json
from dataclasses import asdict, replace

import pytest

from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.environment import Environment
from vanbench.errors import RecordError
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.report import records
from vanbench.report.records import (
    Accuracy,
    Counts,
    FileRecord,
    Numerics,
    Record,
    ValidationEnvironment,
    merge,
)
from vanbench.zoo.entries import EvaluationProtocol

ENVIRONMENT = Environment(
    "3.11.7", "0.1.0", "2.14.1", None, None, None, None, "Linux", "CPU", 2, 2, "cpu", None, None
)
CHECKPOINT = FileRecord("https://x/y.pth", "y.pth", "verified", "2026-01-01", bytes=5, sha256="ab")
COUNTS = Counts(
    "checkpoint",
    ARCHITECTURES["van_b0"],
    224,
    10,
    8,
    {"fvcore": 1, "openmmlab": 2},
    {},
    "2026-01-01",
    ENVIRONMENT,
)
ACCURACY = Accuracy(
    sha256="ab",
    images=10,
    correct1=5,
    correct5=7,
    data=DataSummary("class folders", 10, 2, "subset", "00", False, False, (), 10, 10, {}),
    protocol=EvaluationProtocol(classes=("cat", "dog")),
    numerics=Numerics("fp32", False, "cpu", "optimized", RewriteConfig(), False),
    seconds=1.5,
    waited=0.5,
    date="2026-01-01",
    environment=ValidationEnvironment(
        **asdict(ENVIRONMENT), decoder=DecoderReport(True, "as expected", 7, {}, {"Pillow": "13"})
    ),
)
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
        (lambda d: d["counts"].update(params="10"), "key 'counts.params'"),
        (lambda d: d["counts"].update(params=True), "key 'counts.params'"),
        (lambda d: d["accuracy"].pop("images"), "missing key 'accuracy.images'"),
        (lambda d: d.update(counts=[1]), "key 'counts'"),
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
