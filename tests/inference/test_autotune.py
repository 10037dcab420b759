"""The trial of variants: what is chosen, and what it depends on."""

from dataclasses import replace

import torch

from vanbench.inference import autotune
from vanbench.inference.autotune import candidates, choose, resolve_config, tune
from vanbench.inference.rewrite_config import RewriteConfig


def test_a_variant_is_chosen_only_when_clearly_faster():
    usual = RewriteConfig()
    variants = candidates(usual, torch.device("cpu"))
    seconds = dict.fromkeys(variants, 1.0)
    assert choose(usual, variants, seconds | {"micro-batch 2": 0.95}) == usual
    assert choose(usual, variants, seconds | {"micro-batch 2": 0.5}) == replace(
        usual, micro_batch=2
    )


def test_packed_kernels_are_left_out_where_they_cannot_run():
    cpu, usual = torch.device("cpu"), RewriteConfig()
    assert resolve_config(usual, cpu, "fp32", compile=False, on_message=print) == usual
    unpacked = replace(usual, pack=False)
    assert resolve_config(usual, cpu, "bf16", compile=False, on_message=print) == unpacked
    assert resolve_config(usual, cpu, "fp32", compile=True, on_message=print) == unpacked


def test_a_trial_is_made_once_for_a_number_of_threads(monkeypatch):
    races = []

    def race(device, variants):
        races.append(torch.get_num_threads())
        return dict.fromkeys(variants, 1.0)

    monkeypatch.setattr(autotune, "_race", race)
    autotune._tune.cache_clear()
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 2, 1):
            torch.set_num_threads(threads)
            assert tune(torch.device("cpu")).config == RewriteConfig()
    finally:
        torch.set_num_threads(before)
        autotune._tune.cache_clear()
    assert races == [1, 2]


def test_the_callers_autocast_does_not_count(monkeypatch):
    seen = []

    def race(device, variants):
        seen.append(torch.is_autocast_enabled("cpu"))
        return dict.fromkeys(variants, 1.0)

    monkeypatch.setattr(autotune, "_race", race)
    autotune._tune.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        tune(torch.device("cpu"))
        assert torch.is_autocast_enabled("cpu")
    autotune._tune.cache_clear()
    assert seen == [False]


def test_the_outcome_of_a_trial_is_told(monkeypatch):
    monkeypatch.setattr(autotune, "_race", lambda _, variants: dict.fromkeys(variants, 0.5))
    autotune._tune.cache_clear()
    messages = []
    cpu = torch.device("cpu")
    assert resolve_config(None, cpu, "fp32", False, messages.append) == RewriteConfig()
    autotune._tune.cache_clear()
    assert len(messages) == 1
    assert "usual 500 ms, unpacked 500 ms" in messages[0]


def test_a_real_trial_times_every_variant():
    variants = candidates(RewriteConfig(), torch.device("cpu"))
    seconds = autotune._race(torch.device("cpu"), dict(list(variants.items())[:2]))
    assert list(seconds) == ["usual", "unpacked"]
    assert all(value > 0 for value in seconds.values())


def test_another_kind_of_device_has_fewer_variants():
    usual = RewriteConfig(pack=False, part_bytes=0, micro_batch=0, parallel=False)
    assert list(candidates(usual, torch.device("cuda"))) == ["usual", "native dilation"]
