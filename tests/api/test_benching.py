"""``vanbench.bench``: the record of the command, as an object."""

import pytest

import vanbench
from tests.support.runtimes import runtimes_record
from vanbench.api.benching import FRAME, RUNTIME_FRAME, Benchmark
from vanbench.errors import DeviceError, VanbenchError
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report import bench_records, runtime_records


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Without the processes in which peak memory is measured."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vanbench.benchmark.bench.peak_memory", lambda *_: None)
        found = vanbench.bench(
            "van_nano", zoo="demo", results=results, device="cpu", batch_size=2, seconds=0,
            rewrite=RewriteConfig(),
        )  # fmt: skip
    return found, results


def test_the_record_is_that_of_the_command(measured):
    found, results = measured
    (path,) = (results / "bench").iterdir()
    written = bench_records.read(path)
    assert found.records == {"van_nano.digits": written}
    assert found.to_json() == {
        "schema": 1,
        "models": [written.as_json() | {"reason": None, "error": None, "runtimes": None}],
    }


def test_the_frame(measured):
    found, _ = measured
    record, frame = found.records["van_nano.digits"], found.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    row = frame.loc["van_nano.digits"]
    assert row["speedup"] == record.speedup
    assert row["optimized_latency_p99_ms"] == record.optimized.latency_ms.p99
    assert row["batch_size"] == 2
    assert f"{record.speedup:.2f}" in repr(found)


def test_a_model_that_fails_is_a_row(measured):
    found, _ = measured
    failed = Benchmark(found.entries, {}, {"van_nano.digits": VanbenchError("no memory")})
    frame = failed.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    assert frame["reason"].tolist() == ["no memory."]
    assert failed.to_json()["models"][0]["speedup"] is None
    assert "○ not measured" in repr(failed)


def test_runtimes_have_a_row_each(monkeypatch, tmp_path):
    record = runtimes_record("van_nano.digits")
    monkeypatch.setattr("vanbench.benchmark.runtimes.bench_runtimes", lambda *_: record)
    found = vanbench.bench("van_nano", zoo="demo", results=tmp_path, runtime="all")
    assert runtime_records.read(tmp_path / "bench/runtimes/van_nano.digits.json") == record
    assert (found.records, found.runtimes) == ({}, {"van_nano.digits": record})
    frame = found.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == RUNTIME_FRAME
    assert frame["runtime"].tolist() == [row.runtime for row in record.rows]
    assert frame["speedup"].tolist()[:2] == [1, 2]
    assert frame["start_up_s"].tolist()[:2] == [2, 2]
    assert frame["reason"].tolist()[2] == "the runtime failed: no kernel."
    (model,) = found.to_json()["models"]
    assert len(model["runtimes"]) == len(record.rows)
    assert "pip install 'vanbench[onnx]'" in repr(found)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"seconds": -1}, ValueError, "seconds"),
        ({"threads": 0}, ValueError, "threads"),
        ({"precision": "fp8"}, ValueError, "precision: expected one of"),
        ({"device": "gpu7"}, DeviceError, "gpu7"),
        ({"runtime": "tensorrt"}, ValueError, "runtime: expected one of"),
        ({"runtime": "openvino", "compile": True}, ValueError, "compile is the runtime"),
        ({"runtime": "openvino", "precision": "tf32"}, DeviceError, "does not compute in tf32"),
    ],
)
def test_wrong_arguments(tmp_path, wrong, error, message):
    with pytest.raises(error, match=message):
        vanbench.bench("van_nano", zoo="demo", results=tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []
