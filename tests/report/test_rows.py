"""Rows: what a record says about the claims of its entry, as verdicts, exit code and JSON."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.recorded import NAME, SHA256, entry_in, full_record, without_file
from vanbench.report import record_files
from vanbench.report.records import Record
from vanbench.report.row_json import as_json
from vanbench.report.rows import make_row, rows_on_record
from vanbench.zoo.reader import load_zoo

CLAIMS = '{ params_m = "0.02", flops_g = "1.5", top1 = "50.00", top5 = "69.97" }'


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path, reported=CLAIMS)


@pytest.fixture
def full(entry):
    return full_record(entry)


def test_each_number_gets_its_verdict(entry, full):
    row = make_row(entry, full)
    assert row.params.measured == Fraction(full.counts.params, 10**6)
    assert row.flops.measured == Fraction(full.counts.flops["openmmlab"], 10**9)
    assert [figure.verdict for figure in row.figures] == [
        "reproduced", "deviates", "reproduced", "close"
    ]  # fmt: skip
    assert row.top5.delta == Fraction(3, 100)
    assert row.verdict == "deviates"
    assert row.exit_code(accuracy_asked=True) == 1


def test_a_number_without_a_claim_or_without_a_measurement(tmp_path):
    entry = entry_in(tmp_path)  # claims Top-1 alone
    full = full_record(entry)
    assert [figure.verdict for figure in make_row(entry, full).figures] == [
        "not reported", "not reported", "reproduced", "not reported"
    ]  # fmt: skip
    row = make_row(entry, replace(full, accuracy=None))
    assert (row.top1.verdict, row.top1.reason) == ("not measured", "no validation set was given")
    assert row.exit_code(accuracy_asked=False) == 0
    assert row.exit_code(accuracy_asked=True) == 3
    assert make_row(entry, Record("zoo", NAME)).top1.reason == "never run"
    assert make_row(entry, Record("zoo", NAME), reason="because").top1.reason == "because"


def test_without_its_file_a_model_is_never_better_than_not_measured(tmp_path):
    entry = entry_in(tmp_path, reported='{ params_m = "0.02" }')
    row = make_row(entry, without_file(full_record(entry)))
    assert row.params.verdict == "reproduced"
    assert row.verdict == "not measured"
    assert row.exit_code(accuracy_asked=False) == 3


def test_the_full_record_comes_before_the_failed_attempt(tmp_path, entry, full):
    zoo = load_zoo(str(tmp_path / "zoo.toml"))
    (row,) = rows_on_record(zoo, tmp_path)
    assert row.record == Record("zoo", NAME)
    record_files.write_failed(tmp_path, without_file(full))
    (row,) = rows_on_record(zoo, tmp_path)
    assert row.file_status == "unreachable"
    record_files.write(tmp_path, full)
    record_files.write_failed(tmp_path, without_file(full))
    (row,) = rows_on_record(zoo, tmp_path)
    assert row.record == full


def test_json_has_the_contracts_keys(entry, full):
    document = as_json(make_row(entry, full), Path("/cache/file.pth"))
    assert document["name"] == NAME
    assert document["checkpoint"].items() >= {
        "url": full.checkpoint.url, "path": "/cache/file.pth", "bytes": 5, "sha256": SHA256,
        "status": "verified", "reason": None, "format": "openmmlab",
    }.items()  # fmt: skip
    assert document["architecture"]["embed_dims"] == list(full.checkpoint.architecture.embed_dims)
    assert document["params"]["source"] == "checkpoint"
    assert document["flops"]["fvcore"] == full.counts.flops["fvcore"]
    top1 = document["top1"]
    assert (top1["measured"], top1["reported"], top1["delta"]) == (50.0, 50.0, 0.0)
    assert (top1["correct"], top1["images"], top1["verdict"]) == (5, 10, "reproduced")
    low, high = top1["ci95"]
    assert low < 50 < high


def test_json_of_a_model_that_was_never_measured(entry):
    document = as_json(make_row(entry, Record("zoo", NAME)))
    assert document["checkpoint"]["status"] == "not measured"
    assert document["checkpoint"]["path"] is None
    assert document["flops"]["openmmlab"] is None
    assert document["top1"]["ci95"] is None
    assert document["verdict"] == "not measured"
