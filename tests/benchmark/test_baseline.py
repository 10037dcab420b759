"""The speed of models that run as they are: what is measured, recorded and read back."""

import json
from dataclasses import replace
from statistics import median

import pytest
from click.testing import CliRunner

from vanbench.benchmark.baseline import bench_baseline
from vanbench.benchmark.bench import BenchOptions
from vanbench.cli.group import main
from vanbench.errors import RecordError
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.report import baseline_records

NAME = "squeezenet1_1.imagenet1k_v1"
OPTIONS = BenchOptions(batch_size=2, seconds=0)


@pytest.fixture(scope="module")
def record():
    return bench_baseline(NAME, TorchvisionArchitecture("squeezenet1_1"), 64, OPTIONS)


def test_every_sample_is_kept_and_gives_the_figures(record):
    assert record.samples_s_cpu_s.keys() == {"1", "2"}
    assert all(len(taken) >= 3 for taken in record.samples_s_cpu_s.values())
    middle = median(seconds for seconds, _ in record.samples_s_cpu_s["2"])
    assert record.reference.images_per_s == pytest.approx(2 / middle)
    assert record.images_per_s(1) == pytest.approx(1000 / record.reference.latency_ms.p50)
    assert (record.resolution, record.weights) == (64, "random")
    assert record.reference.peak_memory > 4_000_000
    assert list(baseline_records.contradictions(record)) == []


def test_it_is_written_and_read_back(record, tmp_path):
    path = baseline_records.write(tmp_path, record)
    assert path == tmp_path / "bench" / "torchvision" / f"{NAME}.json"
    assert baseline_records.read(path) == record
    other = baseline_records.write(tmp_path, replace(record, device="cuda", precision="bf16"))
    assert other.name == f"{NAME}.cuda.bf16.json"


@pytest.mark.parametrize("key", ["images_per_s", "p50"])
def test_a_figure_that_is_not_that_of_the_samples_is_refused(record, tmp_path, key):
    path = baseline_records.write(tmp_path, record)
    document = json.loads(path.read_text())
    figures = document["reference"]
    (figures if key in figures else figures["latency_ms"])[key] *= 1.01
    path.write_text(json.dumps(document))
    with pytest.raises(RecordError, match=rf"contradicts itself: reference\..*{key} is"):
        baseline_records.read(path)


def test_no_samples_are_refused(record):
    found = list(baseline_records.contradictions(replace(record, samples_s_cpu_s={})))
    assert found == ["samples_s_cpu_s of batch 1 has no passes, or one of 0 seconds or less"]


def bench(*args, results):
    common = ["--zoo", "torchvision", "--results", str(results), "--seconds", "0"]
    outcome = CliRunner().invoke(main, ["bench", *args, *common, "--batch-size", "1"])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_the_command_says_that_the_rewrite_does_not_apply(tmp_path):
    text = bench("mobilenet_v3_small", results=tmp_path)
    assert "Models of torchvision run as they are: the rewrite is of VAN." in text
    assert "speed-up" not in text
    assert "optimized" not in text
    (model,) = json.loads(bench("mobilenet_v3_small", "--json", results=tmp_path))["models"]
    assert model["name"] == "mobilenet_v3_small.imagenet1k_v1"
    assert model["architecture"]["arch"] == "mobilenet_v3_small"
    assert model["reference"]["images_per_s"] > 0
    for key in ("optimized", "speedup", "choices", "ceiling", "batch_sizes", "error"):
        assert model[key] is None
    assert model["samples_s_cpu_s"]["1"].keys() == {"reference"}
