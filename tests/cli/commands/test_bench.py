"""``vanbench bench``: a table or JSON, and a record for each variant."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.support.command_line import ROOT, run
from tests.support.models import TINY
from tests.support.terminal import split_tokens, too_wide
from vanbench.benchmark.bench import BenchOptions, bench
from vanbench.cli.group import main
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report import bench_records


@pytest.fixture(scope="module")
def record():
    """Without the processes in which peak memory is measured."""
    options = BenchOptions(batch_size=2, seconds=0, rewrite=RewriteConfig())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vanbench.benchmark.bench.peak_memory", lambda *_: None)
        return bench("tiny.test", TINY, options)


def test_the_command_prints_a_table_or_json_and_writes_the_record(tmp_path, monkeypatch, record):
    monkeypatch.setattr(
        "vanbench.benchmark.bench.bench", lambda name, *_: replace(record, name=name)
    )
    invoke = CliRunner().invoke
    arguments = ["bench", "--all", "--zoo", "demo", "--results", str(tmp_path)]
    document = json.loads(invoke(main, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert document["schema"] == 1
    for model in document["models"]:
        written = json.loads((tmp_path / "bench" / f"{model['name']}.json").read_text())
        empty = {"reason": None, "error": None, "runtimes": None}
        assert {**empty, **written} == {**model, "schema": 1}
        assert str(tmp_path) not in json.dumps(written)
    table = invoke(main, arguments, catch_exceptions=False).stdout
    assert all(model["name"] in table for model in document["models"])


def test_another_precision_has_a_record_of_its_own(tmp_path):
    arguments = ["bench", "van_nano.digits", "--zoo", "demo", "--seconds", "0", "--batch-size", "2"]
    arguments += ["--precision", "bf16", "--choices", "{}", "--results", str(tmp_path), "--json"]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["van_nano.digits.bf16.json"]
    assert json.loads(outcome.stdout)["models"][0]["precision"] == "bf16"


@pytest.fixture
def published(monkeypatch):
    """The records of the repository in place of measurements, by name."""
    records = {
        path.name.removesuffix(".json"): bench_records.read(path)
        for path in (ROOT / "results/bench").glob("van_b?.in*k.json")
    }
    monkeypatch.setattr("vanbench.benchmark.bench.bench", lambda name, *_: records[name])
    return records


@pytest.mark.parametrize("details", [(), ("--details",)])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_and_no_token_is_split(columns, details, published, tmp_path, monkeypatch):
    arguments = ["bench", "--all", "--results", tmp_path, "-q", *details]
    wide = run(*arguments).stdout
    monkeypatch.setattr("vanbench.cli.output.width_of", lambda stream: columns)
    narrow = run(*arguments).stdout
    assert split_tokens(narrow, wide) == set()
    assert too_wide(narrow, columns) == []


def test_the_answer(published, tmp_path, monkeypatch):
    monkeypatch.setattr("vanbench.cli.output.width_of", lambda stream: 80)
    outcome = run("bench", "--all", "--results", tmp_path)
    assert "Not shown" not in outcome.stdout
    speedups = [record.speedup for record in published.values()]
    sentence = (
        f"The optimized model is {min(speedups):.1f} to {max(speedups):.1f} times as fast as the "
        f"reference at batch 16 on this CPU; records in {tmp_path / 'bench'}. Next: "
    )
    assert sentence in " ".join(outcome.stdout.split())
    assert outcome.stdout.splitlines()[-1] == f"Next: vanbench report --results {tmp_path}"
    assert outcome.stderr == "≈ 11 min on this CPU for 8 models; --seconds 10 takes 4 min.\n"


def test_a_doubtful_measurement_says_why(published, tmp_path, monkeypatch):
    record = published["van_b0.in1k"]
    load = replace(record.load, other_cores=1.5, cores=2)
    doubtful = replace(record, load=load, same_top5=False)
    monkeypatch.setattr("vanbench.benchmark.bench.bench", lambda *_: doubtful)
    text = run("bench", "van_b0", "--results", tmp_path).stdout
    assert "differ from the reference's: van_b0.in1k." in text
    assert "Other processes used up to 1.5 cores meanwhile: run it again." in text


def test_an_interruption_names_what_is_recorded_and_what_is_left(published, tmp_path, monkeypatch):
    def measure(name, *_):
        if name == "van_b2.in1k":
            raise KeyboardInterrupt
        return published[name]

    monkeypatch.setattr("vanbench.benchmark.bench.bench", measure)
    names = ["van_b0", "van_b1", "van_b2", "van_b3"]
    outcome = run("bench", *names, "--results", tmp_path, "-q", code=130)
    assert outcome.stderr == (
        f"Interrupted. 2 of 4 models are recorded in {tmp_path / 'bench'}. To measure the others: "
        f"vanbench bench van_b2.in1k van_b3.in1k --results {tmp_path}\n"
    )
    assert len(list((tmp_path / "bench").iterdir())) == 2
    assert outcome.stdout == ""


def test_progress_is_that_of_all_models(published, tmp_path, monkeypatch):
    seen = []

    def measure(name, architecture, options, on_message, progress):
        progress(500, 1000, "batch 1")
        return published[name]

    @contextmanager
    def display(label, *, unit, quiet):
        yield lambda done, total, note="": seen.append((label, unit, done, total, note))

    monkeypatch.setattr("vanbench.benchmark.bench.bench", measure)
    monkeypatch.setattr("vanbench.cli.options.progress", display)
    run("bench", "van_b0", "van_b1", "--results", tmp_path)
    assert seen == [
        ("measuring", "%", 500, 2000, "van_b0.in1k, batch 1"),
        ("measuring", "%", 1500, 2000, "van_b1.in1k, batch 1"),
    ]
