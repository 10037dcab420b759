"""Benchmark records: read strictly, and only if the figures are those of the samples."""

import json
import shutil

import pytest

from tests.support.special_files import device
from vanbench.errors import RecordError
from vanbench.report import bench_records


@pytest.fixture
def path(tmp_path, pytestconfig):
    """A copy of a committed record."""
    source = pytestconfig.rootpath / "results" / "bench" / "van_b0.in1k.json"
    return shutil.copy(source, tmp_path / source.name)


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def refused(path):
    with pytest.raises(RecordError) as caught:
        bench_records.read(path)
    assert caught.value.where == path
    return caught.value


def test_the_committed_records_are_consistent(pytestconfig):
    paths = sorted((pytestconfig.rootpath / "results" / "bench").glob("van_*.json"))
    assert paths
    for path in paths:
        assert list(bench_records.contradictions(bench_records.read(path))) == []


def test_round_trip(path, tmp_path):
    record = bench_records.read(path)
    written = bench_records.write(tmp_path, record)
    assert written == tmp_path / "bench" / path.name
    assert bench_records.read(written) == record


def test_what_differs_from_fp32_on_a_cpu_is_in_the_name(path, tmp_path):
    edit(path, lambda d: d.update(device="cuda", precision="bf16", compile=True))
    written = bench_records.write(tmp_path, bench_records.read(path))
    assert written.name == "van_b0.in1k.cuda.bf16.compile.json"


def all_seconds(document, value):
    for of_batch in document["samples_s_cpu_s"].values():
        for samples in of_batch.values():
            samples[:] = [[value, value]] * len(samples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(speedup=9.0), "speedup is 9, and batch_sizes of batch"),
        (lambda d: d["optimized"].update(images_per_s=1.0), "optimized.images_per_s is 1, and"),
        (lambda d: d["batch_sizes"][0].update(reference=1.0), "gives"),
        (lambda d: d["batch_sizes"][0].update(samples=2), "does not have 2 samples of each"),
        (lambda d: d.update(batch_size=7), "batch_sizes has no batch_size 7"),
        (lambda d: d.update(samples_s_cpu_s={}), "samples of each model"),
        (lambda d: all_seconds(d, 0), "has a pass of 0 seconds or less"),
        (lambda d: all_seconds(d, -1.5), "has a pass of 0 seconds or less"),
    ],
)
def test_figures_that_are_not_those_of_the_samples(path, change, message):
    edit(path, change)
    error = refused(path)
    assert error.problem.startswith("the record contradicts itself: ")
    assert message in error.problem


def test_a_record_that_is_none(path):
    path.write_text("[]")
    error = refused(path)
    assert error.problem == "not a readable benchmark record: expected an object of schema 1"
    assert error.remedy == "Restore it from version control, or run vanbench bench again."


def test_a_record_of_a_newer_schema_is_not_to_be_replaced(path):
    edit(path, lambda d: d.update(schema=2))
    error = refused(path)
    assert error.problem == "it has schema 2, and this version of vanbench reads schema 1"
    assert error.remedy == "Install the version of vanbench that wrote it."


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a": ' + "1" * 10**5 + "}", "\\udcff", "NaN"])
def test_a_record_that_is_hard_to_parse(path, text):
    path.write_text(text)
    assert refused(path).problem.startswith("not a readable benchmark record: ")


def test_a_record_that_is_no_file(path):
    path.unlink()
    assert refused(path).problem == "there is no such file"
    device(path)
    assert refused(path).problem == "expected a file, found a character device"
