"""The benchmark: what it counts is right, what it times is kept, and it says all that it should."""

import json
from dataclasses import astuple, replace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from benchmarks import figures
from tests.support.models import TINY, randomized
from vanbench.benchmark.bench import (
    BenchOptions,
    bench,
    compare_logits,
    interleaved,
    percentiles,
    summarize,
    warm_up,
)
from vanbench.benchmark.ceiling import measure_ceiling, multiply_adds, pointwise
from vanbench.benchmark.system_load import SystemLoad
from vanbench.cli.group import main
from vanbench.flops import count
from vanbench.inference.autotune import candidates, choose, resolve_config
from vanbench.inference.optimized import optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights
from vanbench.report import markers

QUICK = BenchOptions(batch_size=2, seconds=0, rewrite=RewriteConfig())


@pytest.fixture(scope="module")
def record():
    return bench("tiny.test", TINY, QUICK)


@pytest.mark.parametrize("architecture", [TINY, ARCHITECTURES["van_b0"]])
def test_multiply_adds_are_those_that_fvcore_counts(architecture):
    counted = count(architecture, 224).by_operator["fvcore"]
    assert multiply_adds(architecture, 224) == counted["conv"] + counted["linear"]


def test_pointwise_convolutions_are_those_of_the_network():
    expected = sum(
        module.weight.numel()
        for module in randomized().modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
    )
    assert sum(s.times * s.in_dim * s.dim for s in pointwise(TINY, 224)) == expected


def test_the_ceiling_is_the_rate_divided_by_the_work():
    ceiling = measure_ceiling(TINY, 64, torch.device("cpu"))
    assert ceiling.images_per_s * multiply_adds(TINY, 64) == pytest.approx(
        1e9 * ceiling.gmacs_per_s
    )


class Counted(nn.Module):
    def __init__(self, log, name):
        super().__init__()
        self.log, self.name = log, name

    def forward(self, x):
        self.log.append(self.name)
        return x


def test_models_take_turns_and_every_sample_is_kept():
    log = []
    models = {name: Counted(log, name) for name in "ab"}
    samples = interleaved(models, torch.zeros(1), seconds=0)
    assert [len(taken) for taken in samples.values()] == [3, 3]
    assert log[-6:] == ["a", "b"] * 3


def test_warm_up_is_bounded():
    log = []
    runs = warm_up(Counted(log, "a"), torch.zeros(1))
    assert 1 <= runs == len(log) <= 10


def test_summaries_are_of_the_samples():
    row = summarize(
        4,
        {
            "reference": [(2.0, 3.0), (4.0, 3.0), (6.0, 3.0)],
            "optimized": [(1.0, 2.0), (1.0, 2.0), (2.0, 2.0)],
        },
    )
    assert (row.reference, row.optimized, row.speedup) == (1.0, 4.0, 4.0)
    assert row.speedup_range == (2.5, 3.5)
    assert row.cpu_speedup == 1.5
    assert astuple(percentiles([0.001 * i for i in range(101)])) == pytest.approx((50, 95, 99))


def test_answers_are_compared_and_a_wrong_model_is_seen():
    reference, x = random_weights(TINY), torch.randn(2, 3, 64, 64)
    error, same_top5 = compare_logits({"reference": reference, "optimized": optimize(reference)}, x)
    assert same_top5
    assert error < 5e-5
    other = random_weights(TINY, seed=1)
    error, same_top5 = compare_logits({"reference": reference, "optimized": other}, x)
    assert not same_top5
    assert error > 0.01


def test_nothing_of_a_drawn_model_is_as_it_was_initialised():
    for name, tensor in random_weights(TINY).state_dict().items():
        assert name.endswith("num_batches_tracked") or tensor.unique().numel() > 1, name


def test_load_of_others_is_not_negative():
    load = SystemLoad().summary()
    assert load.other_cores is None or load.other_cores >= 0


def test_a_form_is_chosen_only_when_clearly_faster():
    usual = RewriteConfig()
    forms = candidates(usual, torch.device("cpu"))
    seconds = dict.fromkeys(forms, 1.0)
    assert choose(usual, forms, seconds | {"micro-batch 2": 0.95}) == usual
    assert choose(usual, forms, seconds | {"micro-batch 2": 0.5}) == replace(usual, micro_batch=2)


def test_a_record_holds_the_contract_and_every_sample(record):
    document = record.as_json()
    for kind in ("reference", "optimized"):
        assert document[kind]["images_per_s"] > 0
        assert list(document[kind]["latency_ms"]) == ["p50", "p95", "p99"]
        assert document[kind]["peak_memory"] is None or document[kind]["peak_memory"] > 0
        assert [len(document["samples_s_cpu_s"][batch][kind]) for batch in ("1", "2")] == [3, 3]
    assert record.same_top5
    assert record.max_relative_error < 5e-5
    assert record.speedup == pytest.approx(
        record.optimized.images_per_s / record.reference.images_per_s
    )
    assert record.choices == RewriteConfig()


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
        assert written == {"schema": 1, **model}
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


def test_the_documented_figures_are_those_of_the_records():
    block = figures.tables(figures.DOCUMENT.parents[1] / "results" / "bench")
    cure = "python -m benchmarks.figures writes them"
    assert markers.difference(figures.DOCUMENT, block) == "", cure


def test_packed_kernels_are_left_out_where_they_cannot_run():
    cpu, usual = torch.device("cpu"), RewriteConfig()
    assert resolve_config(usual, cpu, "fp32", compile=False, on_message=print) == usual
    unpacked = replace(usual, pack=False)
    assert resolve_config(usual, cpu, "bf16", compile=False, on_message=print) == unpacked
    assert resolve_config(usual, cpu, "fp32", compile=True, on_message=print) == unpacked
