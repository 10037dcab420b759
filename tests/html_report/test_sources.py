"""What a report is made of: damage is said, never a traceback, and never another model's figures."""

import json
import shutil
from dataclasses import replace

import pytest

from tests.support.command_line import ROOT
from tests.support.runtimes import runtimes_record
from vanbench.errors import RecordError
from vanbench.html_report.sources import gather
from vanbench.report import runtime_records
from vanbench.zoo.reader import load_zoo


@pytest.fixture
def zoo():
    return load_zoo("openmmlab")


@pytest.fixture
def results(tmp_path):
    return shutil.copytree(ROOT / "results", tmp_path / "results")


def test_benchmarks_are_in_the_order_of_the_zoo_with_fp32_first(zoo, results):
    found = gather(zoo, results)
    names = [(record.name, record.variant) for record in found.benches]
    assert names[:2] == [("van_b0.in1k", ()), ("van_b0.in1k", ("bf16",))]
    order = [entry.name for entry in zoo.entries]
    assert [name for name, _ in names] == sorted((n for n, _ in names), key=order.index)
    assert found.bench_problems == ()


def test_a_damaged_benchmark_is_named_and_the_others_are_there(zoo, results):
    count = len(gather(zoo, results).benches)
    damaged = results / "bench" / "van_b1.in1k.json"
    damaged.write_text("{")
    (results / "bench" / "van_b2.in1k.json").rename(results / "bench" / "van_b3.in1k.fp16.json")
    found = gather(zoo, results)
    assert len(found.benches) == count - 2
    first, second = found.bench_problems
    assert str(damaged) in first
    assert "expected the benchmark of van_b3.in1k, found van_b2.in1k" in second


def test_a_damaged_record_of_a_model_is_an_error(zoo, results):
    path = results / "openmmlab" / "van_b0.in1k.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["counts"]["params"] = 1
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RecordError, match=r"counts\.params is 1"):
        gather(zoo, results)


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\0" * 100])
def test_a_foreign_database_is_said(zoo, results, content):
    (results / "predictions.sqlite").write_bytes(content)
    found = gather(zoo, results)
    assert found.predictions is None
    assert "the stored predictions cannot be used" in found.no_predictions


def test_no_results_at_all(zoo, tmp_path):
    found = gather(zoo, tmp_path / "none")
    assert (found.benches, found.predictions, found.no_predictions) == ((), None, "")
    assert len(found.rows) == len(zoo.entries)


def test_runtimes_are_read_and_damaged_ones_are_named(zoo, results):
    path = runtime_records.write(results, runtimes_record("van_b0.in1k"))
    named = replace(runtimes_record("van_b1.in1k"), runtime="openvino", precision="fp32")
    damaged = runtime_records.write(results, named)
    assert {record.name for record in gather(zoo, results).runtimes} >= {"van_b0.in1k"}
    damaged.write_text(damaged.read_text().replace('"speedup": 2.0', '"speedup": 3.0'))
    found = gather(zoo, results)
    assert runtime_records.read(path) in found.runtimes
    (problem,) = found.bench_problems
    assert str(damaged) in problem
    assert "speedup of openvino bf16 is 3, and its samples give 2" in problem
