"""``vanbench bench --runtime``: a table for each model, a record, and an exit code for failures."""

import json
from dataclasses import replace

import pytest

from tests.support.command_line import run
from tests.support.runtimes import ROWS, figures, runtimes_record
from tests.support.terminal import split_tokens, too_wide
from vanbench.report import runtime_records
from vanbench.runtimes.registry import RUNTIMES

ASKED = ("bench", "van_b0", "--runtime", "all")


@pytest.fixture
def measured(monkeypatch):
    """A record in place of a measurement; what was asked for is in it."""

    def bench_runtimes(name, architecture, options, runtime, precision, on_message, progress):
        return replace(runtimes_record(name), runtime=runtime, precision=precision)

    monkeypatch.setattr("vanbench.benchmark.runtimes.bench_runtimes", bench_runtimes)


def without_failures(monkeypatch):
    """All that was tried was measured."""
    record = runtimes_record()
    rows = tuple(row for row in record.rows if row.status != "failed")
    monkeypatch.setattr(
        "vanbench.benchmark.runtimes.bench_runtimes",
        lambda name, *_: replace(record, name=name, rows=rows),
    )


def test_a_failed_runtime_is_a_row_with_its_reason_and_decides_the_exit_code(measured, tmp_path):
    outcome = run(*ASKED, "--results", tmp_path, "-q", code=3)
    assert "van_b0.in1k, openvino fp32: the runtime failed: no kernel." in outcome.stderr
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert ["openvino", "fp32", "failed"] in lines


def test_what_is_not_installed_or_left_out_is_no_failure(monkeypatch, tmp_path):
    without_failures(monkeypatch)
    text = run(*ASKED, "--results", tmp_path).stdout
    assert "onnxruntime is not installed: pip install 'vanbench[onnx]'\n" in text
    assert "compiled is left out: It compiles for minutes.\n" in text
    assert "van_b0.in1k, batch 2: openvino bf16 is 2.0 times as fast as the reference.\n" in text
    assert text.splitlines()[-1] == f"Next: vanbench report --results {tmp_path}"


def test_the_fastest_in_fp32_is_named_beside_the_fastest_of_all(monkeypatch, tmp_path):
    slower = replace(ROWS[1], runtime="optimized", precision="fp32", figures=figures(0.05, 0.08))
    record = replace(runtimes_record("van_b0.in1k"), rows=(*ROWS[:2], slower))
    monkeypatch.setattr("vanbench.benchmark.runtimes.bench_runtimes", lambda *_: record)
    text = run(*ASKED, "--results", tmp_path).stdout
    assert "optimized fp32 is 1.2 times as fast as the reference; openvino bf16 is 2.0" in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_and_no_token_is_split(columns, tmp_path, monkeypatch):
    without_failures(monkeypatch)
    wide = run(*ASKED, "--results", tmp_path, "-q").stdout
    monkeypatch.setattr("vanbench.cli.output.width_of", lambda stream: columns)
    narrow = run(*ASKED, "--results", tmp_path, "-q").stdout
    assert split_tokens(narrow, wide) == set()
    assert too_wide(narrow, columns) == []


def test_the_document_has_every_row_and_the_keys_of_the_usual_benchmark(measured, tmp_path):
    (model,) = json.loads(run(*ASKED, "--results", tmp_path, "--json", code=3).stdout)["models"]
    assert [(row["runtime"], row["precision"], row["status"]) for row in model["runtimes"]] == [
        (row.runtime, row.precision, row.status) for row in ROWS
    ]
    written = runtime_records.read(tmp_path / "bench" / "runtimes" / "van_b0.in1k.json")
    assert model["reference"]["images_per_s"] == written.figures("reference").images_per_s
    assert model["reason"] is None
    assert model["optimized"] is model["speedup"] is None  # which was not measured


def test_precisions_are_all_unless_one_is_named(measured, tmp_path):
    def names(*options):
        for path in (tmp_path / "bench" / "runtimes").glob("*.json"):
            path.unlink()
        run("bench", "van_b0", "--results", tmp_path, *options, code=3)
        return [path.name for path in (tmp_path / "bench" / "runtimes").iterdir()]

    assert names("--runtime", "all") == ["van_b0.in1k.json"]
    assert names("--runtime", "all", "--precision", "fp32") == ["van_b0.in1k.fp32.json"]
    assert names("--runtime", "openvino") == ["van_b0.in1k.openvino.json"]
    bf16 = names("--runtime", "optimized", "--runtime", "reference", "--precision", "bf16")
    assert bf16 == ["van_b0.in1k.reference.bf16.json"]


def test_a_named_runtime_that_is_not_installed_is_an_error_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setattr(type(RUNTIMES["openvino"]), "distributions", ("no-such-package",))
    outcome = run("bench", "van_b0", "--runtime", "openvino", "--results", tmp_path, code=3)
    assert "pip install 'vanbench[openvino]'" in outcome.stderr
    assert "≈" not in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_runtimes_that_cannot_be_together_are_a_usage_error(tmp_path):
    outcome = run("bench", "van_b0", "--runtime", "openvino", "--compile", code=2)
    assert "compile is the runtime compiled, found the runtime openvino." in outcome.stderr
    outcome = run("bench", "van_b0", "--runtime", "openvino", "--precision", "tf32", code=2)
    assert "does not compute in tf32" in outcome.stderr


def test_another_network_than_a_van_is_a_failed_model(tmp_path):
    line = ["bench", "resnet18", "--zoo", "torchvision", "--runtime", "all", "-q"]
    outcome = run(*line, "--results", tmp_path, code=3)
    assert "is no VAN, and runtimes are for VANs. Leave out --runtime" in outcome.stderr


def test_the_estimate_counts_the_processes(monkeypatch, tmp_path):
    without_failures(monkeypatch)
    both = run("bench", "van_b0", "van_b2", *ASKED[2:], "--results", tmp_path).stderr
    assert "on this CPU for 2 models; --seconds 10 takes" in both
