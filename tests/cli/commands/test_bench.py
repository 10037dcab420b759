"""``vanbench bench``: a table or JSON, and a record for each variant."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.support.models import TINY
from vanbench.benchmark.bench import BenchOptions, bench
from vanbench.cli.group import main
from vanbench.inference.rewrite_config import RewriteConfig


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
    run = CliRunner().invoke
    arguments = ["bench", "--all", "--zoo", "demo", "--results", str(tmp_path)]
    document = json.loads(run(main, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert document["schema"] == 1
    for model in document["models"]:
        written = json.loads((tmp_path / "bench" / f"{model['name']}.json").read_text())
        assert {"reason": None, "error": None, **written} == {**model, "schema": 1}
        assert str(tmp_path) not in json.dumps(written)
    table = run(main, arguments, catch_exceptions=False).stdout
    assert all(model["name"] in table for model in document["models"])


def test_another_precision_has_a_record_of_its_own(tmp_path):
    arguments = ["bench", "van_nano.digits", "--zoo", "demo", "--seconds", "0", "--batch-size", "2"]
    arguments += ["--precision", "bf16", "--choices", "{}", "--results", str(tmp_path), "--json"]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["van_nano.digits.bf16.json"]
    assert json.loads(outcome.stdout)["models"][0]["precision"] == "bf16"
