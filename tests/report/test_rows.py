"""Rows: what a record says about the claims of its entry, as verdicts, exit code and JSON."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.recorded import (
    NAME,
    SHA256,
    entry_in,
    full_record,
    in_precision,
    without_file,
)
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


@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
def test_another_precision_than_fp32_is_never_judged(precision, tmp_path):
    """The accuracy would be equal to the reported one."""
    entry = entry_in(tmp_path)
    record = replace(in_precision(full_record(entry), precision), accuracy=None)
    row = make_row(entry, record)
    why = f"computed in {precision}, and only fp32 counts as reproduction"
    assert (row.top1.measured, row.top1.verdict, row.top1.reason) == (None, "not measured", why)
    assert row.verdict == "not measured"
    assert row.exit_code(accuracy_asked=True) == 3
    assert row.exit_code(accuracy_asked=True, precision=precision) == 0


def test_another_precision_that_was_asked_for_and_not_measured(tmp_path):
    entry = entry_in(tmp_path)
    row = make_row(entry, full_record(entry))
    assert row.exit_code(accuracy_asked=True) == 0
    assert row.exit_code(accuracy_asked=True, precision="bf16") == 3
    assert row.exit_code(accuracy_asked=False, precision="bf16") == 0


def test_a_count_that_deviates_is_1_in_any_precision(entry, full):
    record = replace(in_precision(full, "bf16"), accuracy=None)
    assert make_row(entry, record).exit_code(accuracy_asked=True, precision="bf16") == 1


def test_a_part_in_another_precision_is_partial(tmp_path):
    entry = entry_in(tmp_path)
    full = full_record(entry)
    part = replace(full.accuracy.data, used=10, total=20)
    row = make_row(entry, replace(in_precision(full, "bf16", data=part), accuracy=None))
    assert row.is_partial
    assert row.exit_code(accuracy_asked=True, precision="bf16") == 3
    assert row.exit_code(accuracy_asked=True, part_asked=True, precision="bf16") == 0
    assert not make_row(entry, in_precision(full, "bf16")).is_partial


def test_other_precisions_on_record_count_only_over_the_images_of_the_claim(tmp_path):
    entry = entry_in(tmp_path)
    zoo = load_zoo(str(tmp_path / "zoo.toml"))
    record_files.write(tmp_path, in_precision(full_record(entry), "bf16"))
    (row,) = rows_on_record(zoo, tmp_path)
    assert list(row.record.accuracies) == ["fp32", "bf16"]
    text = (tmp_path / "zoo.toml").read_text()
    (tmp_path / "zoo.toml").write_text(text.replace('title = "Test"', 'title = "Test"\nimages = 7'))
    (row,) = rows_on_record(load_zoo(str(tmp_path / "zoo.toml")), tmp_path)
    assert row.record.accuracies == {}
    assert row.top1.reason == "on record only over 10 images, where the claim is about 7"
