"""docs/performance.md: its tables are made of the records."""

import shutil

import pytest

from benchmarks import figures
from vanbench.errors import RecordError
from vanbench.report import bench_records, markers

RESULTS = figures.DOCUMENT.parents[1] / "results" / "bench"


def test_the_documented_figures_are_those_of_the_records():
    block = figures.tables(RESULTS)
    cure = "python -m benchmarks.figures writes them"
    assert markers.difference(figures.DOCUMENT, block) == "", cure


def test_every_committed_record_is_read():
    paths = sorted(RESULTS.glob("van_*.json"))
    assert len(paths) > 8
    assert all(bench_records.read(path).name in path.name for path in paths)


def test_a_damaged_record_is_named(tmp_path):
    folder = tmp_path / "bench"
    shutil.copytree(RESULTS, folder)
    path = folder / "van_b0.in1k.json"
    path.write_text(path.read_text().replace('"speedup"', '"speed"'))
    with pytest.raises(RecordError) as caught:
        figures.tables(folder)
    assert caught.value.where == path
