"""Several runtimes take turns; one that fails is a row."""

import pytest
import torch

from tests.support.models import TINY
from vanbench.benchmark import runtimes
from vanbench.benchmark.bench import BenchOptions
from vanbench.benchmark.runtime_cases import FIRST, Case
from vanbench.report import runtime_records
from vanbench.report.runtime_records import contradictions

ONNX, BROKEN = Case("onnxruntime", "fp32"), Case("openvino", "int4")


@pytest.fixture(scope="module")
def measured():
    """The reference, a runtime, and a process that fails; and how the progress went."""
    seen = []
    options = BenchOptions(batch_size=2, seconds=0, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes, "cases", lambda *_: [FIRST, ONNX, BROKEN])
        record = runtimes.bench_runtimes(
            "tiny.test", TINY, options, progress=lambda *a: seen.append(a)
        )
    return record, seen


def test_each_row_has_its_samples_and_what_follows_from_them(measured):
    record, _ = measured
    assert list(contradictions(record)) == []
    rows = {row.label: row for row in record.rows}
    assert record.rows[0].label == "reference fp32"
    figures = rows["onnxruntime fp32"].figures
    assert {batch: len(taken) for batch, taken in figures.samples_s_cpu_s.items()} == {
        "1": 3,
        "2": 3,
    }
    assert figures.peak_memory > 2**20
    assert all(seconds > 0 for seconds in vars(figures.start_up).values())
    assert rows["onnxruntime fp32"].versions.keys() == {"onnxruntime", "onnx"}
    assert record.environment.threads == 1


def test_logits_are_compared_with_the_reference_s(measured):
    record, _ = measured
    assert record.figures("reference").max_relative_error == 0
    assert 0 < record.figures("onnxruntime").max_relative_error < 5e-5
    assert record.figures("onnxruntime").same_top5


def test_a_runtime_that_fails_is_a_row_with_its_reason(measured):
    record, _ = measured
    row = next(row for row in record.rows if row.runtime == "openvino")
    assert (row.precision, row.status, row.figures) == ("int4", "failed", None)
    assert row.reason == "the runtime failed: 'int4'."
    compiled = next(row for row in record.rows if row.runtime == "compiled")
    assert (compiled.status, compiled.precision) == ("left out", None)


def test_progress_goes_forward_to_the_end(measured):
    _, seen = measured
    done = [now for now, _, _ in seen]
    assert done == sorted(done)
    assert done[-1] <= seen[0][1]
    assert [note for _, _, note in seen][:3] == [
        "starting reference fp32", "starting onnxruntime fp32", "starting openvino int4",
    ]  # fmt: skip


def test_the_record_is_read_as_it_was_written(measured, tmp_path):
    record, _ = measured
    path = runtime_records.write(tmp_path, record)
    assert path == tmp_path / "bench" / "runtimes" / "tiny.test.json"
    assert runtime_records.read(path) == record


def test_without_the_reference_there_is_nothing_to_compare_with(monkeypatch):
    monkeypatch.setattr(runtimes, "FIRST", BROKEN)
    monkeypatch.setattr(runtimes, "cases", lambda *_: [BROKEN])
    with pytest.raises(KeyError, match="int4"):
        runtimes.bench_runtimes("tiny.test", TINY, BenchOptions(batch_size=2, seconds=0))


def test_a_process_is_not_started_without_free_memory(monkeypatch, tmp_path):
    runs = runtimes._Runs(tmp_path / "none.pth", BenchOptions(), print)
    runs.alive[FIRST] = runtimes.Run(None, None, None, 2**60, torch.zeros(1))
    runs.start(ONNX)
    assert "of free memory for another process" in str(runs.failures[ONNX])
