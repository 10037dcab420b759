"""docs/performance.md: its tables are made of the records."""

import shutil
from dataclasses import replace

import pytest

from benchmarks import figures
from tests.support.runtimes import runtimes_record
from vanbench.errors import RecordError
from vanbench.report import bench_records, markers, runtime_records

RESULTS = figures.DOCUMENT.parents[1] / "results" / "bench"


def test_the_documented_figures_are_those_of_the_records():
    block = figures.tables(RESULTS)
    cure = "python -m benchmarks.figures writes them"
    assert markers.difference(figures.DOCUMENT, block) == "", cure


def test_every_committed_record_is_read():
    paths = sorted(RESULTS.glob("van_*.json"))
    assert len(paths) > 8
    assert all(bench_records.read(path).name in path.name for path in paths)


def test_runtimes_have_a_table_for_each_model(tmp_path):
    assert list(figures.runtime_tables(tmp_path)) == []
    record = runtimes_record("van_b0.in1k")
    runtime_records.write(tmp_path, record)
    runtime_records.write(tmp_path, replace(record, runtime="openvino"))  # which has no table
    about, table = figures.runtime_tables(tmp_path / "bench" / "runtimes")
    assert about.startswith("van_b0.in1k in each runtime (`vanbench bench --runtime all`)")
    assert "openvino fp32 failed; onnxruntime not installed; compiled left out" in about
    row = next(line for line in table.splitlines() if "bf16" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "openvino", "bf16", "40.00", "2.00", "30.0 / 30.0 / 30.0", "3", "2.0",
        "1.0 + 0.2 + 0.5 + 0.2", "4e-03", "differs",
    ]  # fmt: skip


def test_a_damaged_record_is_named(tmp_path):
    folder = tmp_path / "bench"
    shutil.copytree(RESULTS, folder)
    path = folder / "van_b0.in1k.json"
    path.write_text(path.read_text().replace('"speedup"', '"speed"'))
    with pytest.raises(RecordError) as caught:
        figures.tables(folder)
    assert caught.value.where == path
