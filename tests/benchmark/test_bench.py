"""The benchmark: every sample is kept, the figures are those of the samples, nothing else changes."""

from dataclasses import astuple, replace

import pytest
import torch
from torch import nn

from tests.support.models import TINY
from vanbench.benchmark.bench import (
    BenchOptions,
    bench,
    bench_options,
    compare_logits,
    interleaved,
    percentiles,
    summarize,
    warm_up,
)
from vanbench.errors import DeviceError
from vanbench.inference.optimized import optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.build import random_weights

QUICK = BenchOptions(batch_size=2, seconds=0, rewrite=RewriteConfig())


@pytest.fixture(scope="module")
def updates():
    return []


@pytest.fixture(scope="module")
def record(updates):
    def progress(done, total, note=""):
        updates.append((done, total, note))

    return bench("tiny.test", TINY, QUICK, progress=progress)


def test_progress_tells_what_is_measured(record, updates):
    assert list(dict.fromkeys(note for _, _, note in updates)) == [
        "batch 1", "batch 2", "convolutions alone", "memory",
    ]  # fmt: skip
    assert [done for done, _, _ in updates] == sorted(done for done, _, _ in updates)
    assert all(done < total for done, total, _ in updates)


class Logged(nn.Module):
    def __init__(self, log, name):
        super().__init__()
        self.log, self.name = log, name

    def forward(self, x):
        self.log.append(self.name)
        return x


def test_models_take_turns_and_every_sample_is_kept():
    log = []
    models = {name: Logged(log, name) for name in "ab"}
    samples = interleaved(models, torch.zeros(1), seconds=0)
    assert [len(taken) for taken in samples.values()] == [3, 3]
    assert log[-6:] == ["a", "b"] * 3


def test_warm_up_is_bounded():
    log = []
    runs = warm_up(Logged(log, "a"), torch.zeros(1))
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


def test_torchs_settings_and_defaults_stay_as_they_are_and_have_no_effect(monkeypatch):
    """A host program that computes in float64 by default gets a benchmark in float32."""

    def settings():
        return (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_float32_matmul_precision(),
            torch.get_rng_state().tolist(),
        )

    monkeypatch.setattr("vanbench.benchmark.bench.peak_memory", lambda *_: None)
    torch.set_default_dtype(torch.float64)
    try:
        before = settings()
        record = bench("tiny.test", TINY, replace(QUICK, batch_size=1, threads=1))
        assert settings() == before
    finally:
        torch.set_default_dtype(torch.float32)
    assert 1e-9 < record.max_relative_error < 5e-5  # in float64 it would be smaller


def test_options_have_a_batch_size_that_suits_the_device():
    options = bench_options("cpu", "fp32", None, 1.0, None)
    assert (options.device.type, options.batch_size, options.batch_sizes) == ("cpu", 16, [1, 4, 16])
    assert BenchOptions(batch_size=1).batch_sizes == [1]


def test_torch_has_no_int8():
    options = BenchOptions(device=torch.device("cpu"), precision="int8")
    with pytest.raises(DeviceError, match="does not compute in int8"):
        bench("van_tiny", TINY, options)
