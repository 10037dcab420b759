"""The trial of variants: what is chosen, what is left out, and what it depends on."""

from dataclasses import replace

import pytest
import torch

from tests.support.models import TINY, images, randomized
from vanbench.inference import autotune
from vanbench.inference.autotune import Timed, candidates, choose, differs, resolve_config, tune
from vanbench.inference.rewrite_config import RewriteConfig

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def no_trial_is_remembered():
    autotune._tune.cache_clear()
    yield
    autotune._tune.cache_clear()


@pytest.fixture
def tiny_trial(monkeypatch):
    """A real trial, of a tiny network over few images."""
    monkeypatch.setattr(autotune, "trial_model", lambda: randomized(TINY))
    monkeypatch.setattr(autotune, "trial_images", lambda _: images(dtype=torch.float32))


def test_a_variant_is_chosen_only_when_clearly_faster():
    usual = RewriteConfig()
    variants = candidates(usual, CPU)
    seconds = dict.fromkeys(variants, 1.0)
    assert choose(usual, variants, seconds | {"micro-batch 2": 0.95}) == usual
    assert choose(usual, variants, seconds | {"micro-batch 2": 0.5}) == replace(
        usual, micro_batch=2
    )


@pytest.mark.parametrize("has_bf16", [True, False])
def test_kernels_are_left_out_where_they_cannot_run(monkeypatch, has_bf16):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16, raising=False)
    usual = RewriteConfig(triton=True)
    packed, unpacked = RewriteConfig(), RewriteConfig(pack=False)
    found = resolve_config(usual, CPU, "bf16", compile=False, on_message=print)
    assert found == (packed if has_bf16 else unpacked)
    assert resolve_config(usual, CPU, "fp32", compile=False, on_message=print) == packed
    assert resolve_config(usual, CPU, "fp16", compile=False, on_message=print) == unpacked
    assert resolve_config(usual, CPU, "fp32", compile=True, on_message=print) == unpacked


def test_a_trial_is_made_once_for_a_number_of_threads(monkeypatch, tiny_trial):
    races, race = [], autotune.race

    def counted(*arguments):
        races.append(torch.get_num_threads())
        return race(*arguments)

    monkeypatch.setattr(autotune, "race", counted)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 2, 1):
            torch.set_num_threads(threads)
            tune(CPU)
    finally:
        torch.set_num_threads(before)
    assert races == [1, 2]


def test_the_callers_autocast_does_not_count(monkeypatch, tiny_trial):
    seen, race = [], autotune.race

    def looked_at(*arguments):
        seen.append(torch.is_autocast_enabled("cpu"))
        return race(*arguments)

    monkeypatch.setattr(autotune, "race", looked_at)
    with torch.autocast("cpu", torch.bfloat16):
        tune(CPU)
        assert torch.is_autocast_enabled("cpu")
    assert seen == [False]


def test_the_outcome_of_a_trial_is_told(tiny_trial):
    messages = []
    chosen = resolve_config(None, CPU, "fp32", False, messages.append)
    assert chosen in candidates(RewriteConfig(), CPU).values()
    assert len(messages) == 1
    assert "after a trial: usual " in messages[0]
    assert ", unpacked " in messages[0]


def test_a_variant_that_fails_is_left_out_and_told(monkeypatch, tiny_trial):
    optimize = autotune.optimize

    def fail(model, *, config):
        if config.micro_batch == 2:
            raise RuntimeError("no such\nkernel")
        return optimize(model, config=config)

    monkeypatch.setattr(autotune, "optimize", fail)
    result = tune(CPU)
    assert result.dropped == {"micro-batch 2": "RuntimeError: no such kernel"}
    assert "micro-batch 2" not in result.seconds
    assert "micro-batch 2 not used (RuntimeError: no such kernel)" in result.describe()


def test_what_the_usual_variant_raises_is_raised(monkeypatch, tiny_trial):
    def fail(model, *, config):
        raise MemoryError

    monkeypatch.setattr(autotune, "optimize", fail)
    with pytest.raises(MemoryError):
        tune(CPU)


@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_variant_with_other_logits_is_left_out_and_told(monkeypatch, tiny_trial, wrong):
    optimize = autotune.optimize

    def differ(model, *, config):
        fast = optimize(model, config=config)
        return (lambda x: wrong * fast(x)) if config.micro_batch == 2 else fast

    monkeypatch.setattr(autotune, "optimize", differ)
    result = tune(CPU)
    assert result.dropped == {"micro-batch 2": "its logits differ"}
    assert set(result.seconds) == set(candidates(RewriteConfig(), CPU)) - {"micro-batch 2"}


def test_rounding_is_no_difference():
    logits = torch.linspace(-3, 3, 10)
    near, far = logits + 1e-5, logits + 1e-2
    timed = {"usual": Timed(1, logits), "near": Timed(1, near), "far": Timed(1, far)}
    assert [differs(timed, name) for name in timed] == [False, False, True]


def test_the_network_of_the_trial_has_blocks_of_every_stage():
    assert [len(stage.blocks) for stage in autotune.trial_model().stages] == [1] * 4
    assert autotune.trial_images(CPU).shape == (4 * torch.get_num_threads(), 3, 224, 224)


def test_another_kind_of_device_has_fewer_variants(monkeypatch):
    usual = RewriteConfig(pack=False, part_bytes=0, micro_batch=0, parallel=False)
    monkeypatch.setattr(autotune, "can_use_triton", lambda device: device == CUDA)
    found = candidates(usual, CUDA)
    assert list(found) == ["usual", "native dilation", "triton"]
    assert found["triton"] == replace(found["native dilation"], triton=True)
    assert list(candidates(usual, torch.device("mps"))) == ["usual", "native dilation"]
