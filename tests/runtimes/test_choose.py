"""``auto`` takes the fastest runtime that is right, and says why others are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from tests.support.models import TINY, images, randomized
from vanbench.errors import DependencyError, DeviceError
from vanbench.inference.optimized import default_config
from vanbench.inference.trial_cache import TrialCache
from vanbench.runtimes.choose import (
    CONTENDERS,
    MOST_ERROR,
    as_asked,
    choose,
    contenders,
    relative_error,
)
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import ONNXRUNTIME, OPENVINO, OPTIMIZED, REFERENCE
from vanbench.runtimes.onnx_graph import onnx_model
from vanbench.runtimes.onnx_runtime import OnnxRuntime, OnnxSessions
from vanbench.runtimes.registry import RUNTIMES

CPU = torch.device("cpu")
SETTING = Setting(CPU, resolution=64, rewrite=default_config(CPU))
IMAGES = images(dtype=torch.float32)
NOTHING = TrialCache()


class Absent(OnnxRuntime):
    """A runtime whose package is not installed."""

    distributions = ("no-such-package",)


class OneWeightChanged(OnnxRuntime):
    """ONNX Runtime with a file in which one weight of the first convolution is another number."""

    def prepare(self, model, setting):
        graph = onnx_model(model, setting.resolution)
        tensor = next(t for t in graph.graph.initializer if t.name.endswith("conv.weight"))
        values = np.array(numpy_helper.to_array(tensor))
        values[0, 0, 0, 0] += 1.0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return OnnxSessions(graph.SerializeToString())


class OneWeightChanged8(OneWeightChanged):
    """The same, called int8."""

    precisions = ("int8",)


class Failing(OnnxRuntime):
    """A runtime that cannot load the model."""

    def prepare(self, model, setting):
        raise RuntimeError("no such operator")


@pytest.fixture
def model():
    return randomized()


def test_every_contender_is_right_and_the_fastest_is_taken(model):
    module, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING)
    assert set(chosen.trial.seconds) == set(CONTENDERS)
    assert chosen.runtime == min(chosen.trial.seconds, key=chosen.trial.seconds.__getitem__)
    assert chosen.trial.refused == {}
    assert relative_error(module(IMAGES), model(IMAGES)) <= MOST_ERROR["fp32"]
    assert chosen.error <= MOST_ERROR["fp32"]
    assert (chosen.rewrite is None) == (chosen.runtime != OPTIMIZED)


def test_a_runtime_with_one_weight_changed_is_refused(model, monkeypatch):
    monkeypatch.setitem(RUNTIMES, ONNXRUNTIME, OneWeightChanged())
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING)
    assert chosen.runtime != ONNXRUNTIME
    assert set(chosen.trial.refused) == {ONNXRUNTIME}
    assert "differ from the reference's by" in chosen.trial.refused[ONNXRUNTIME]
    assert ONNXRUNTIME not in chosen.trial.seconds


def test_a_runtime_that_fails_is_refused(model, monkeypatch):
    monkeypatch.setitem(RUNTIMES, OPENVINO, Failing())
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING)
    assert "no such operator" in chosen.trial.refused[OPENVINO]


def test_where_none_is_right_the_reference_computes(model, monkeypatch):
    for name in CONTENDERS:
        monkeypatch.setitem(RUNTIMES, name, OneWeightChanged())
    module, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING)
    assert module is model
    assert chosen.runtime == REFERENCE
    assert set(chosen.trial.refused) == set(CONTENDERS)


def test_logits_that_are_no_numbers_are_not_right(model):
    module, chosen = choose(model, TINY, IMAGES * torch.nan, SETTING, NOTHING)
    assert module is model
    assert chosen.runtime == REFERENCE


def test_without_extras_the_usual_one_is_checked_and_taken(model, monkeypatch):
    for name in (ONNXRUNTIME, OPENVINO):
        monkeypatch.setitem(RUNTIMES, name, Absent())
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING)
    assert (chosen.runtime, chosen.trial.seconds, chosen.trial.refused) == (OPTIMIZED, {}, {})
    assert chosen.error <= MOST_ERROR["fp32"]


def test_a_short_pass_gets_the_usual_one(model):
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING, worth_a_trial=False)
    assert (chosen.runtime, chosen.trial.seconds) == (OPTIMIZED, {})


def test_a_short_pass_gets_another_where_the_usual_one_is_wrong(model, monkeypatch):
    monkeypatch.setitem(RUNTIMES, OPTIMIZED, OneWeightChanged())
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING, worth_a_trial=False)
    assert chosen.runtime in (ONNXRUNTIME, OPENVINO)
    assert set(chosen.trial.refused) == {OPTIMIZED}


def test_stored_predictions_decide(model):
    _, chosen = choose(model, TINY, IMAGES, SETTING, NOTHING, preferred=[OPENVINO])
    assert (chosen.runtime, chosen.trial.seconds) == (OPENVINO, {})


def test_an_earlier_trial_decides(model, tmp_path):
    trials = TrialCache(tmp_path / "trials.json")
    _, first = choose(model, TINY, IMAGES, SETTING, trials)
    kept = trials.path.read_text(encoding="utf-8")
    _, again = choose(randomized(seed=5), TINY, IMAGES, SETTING, trials, worth_a_trial=False)
    assert again.trial.seconds == first.trial.seconds
    assert again.runtime == first.runtime
    assert trials.path.read_text(encoding="utf-8") == kept
    larger = images((96, 96), dtype=torch.float32)
    _, other = choose(model, TINY, larger, replace(SETTING, resolution=96), trials)
    assert other.trial.seconds != first.trial.seconds


def test_no_trial_is_kept_where_a_runtime_was_refused(model, monkeypatch, tmp_path):
    monkeypatch.setitem(RUNTIMES, OPENVINO, Failing())
    trials = TrialCache(tmp_path / "trials.json")
    choose(model, TINY, IMAGES, SETTING, trials)
    assert not trials.path.exists()


def test_where_no_runtime_is_installed_the_command_is_named(model, monkeypatch):
    for name in CONTENDERS:
        monkeypatch.setitem(RUNTIMES, name, Absent())
    with pytest.raises(DependencyError, match="needs no-such-package"):
        choose(model, TINY, IMAGES, SETTING, NOTHING)


def test_int8_on_another_device_than_the_cpu_names_the_device():
    with pytest.raises(DeviceError) as failed:
        contenders(torch.device("meta"), "int8")
    assert failed.value.remedy.startswith("Use --device cpu")


def test_in_another_precision_the_order_is_fixed(model, monkeypatch, tmp_path):
    """Each runtime gives other predictions there, and a race would decide about the accuracy."""
    half, trials = replace(SETTING, precision="bf16"), TrialCache(tmp_path / "trials.json")
    found = choose(model, TINY, IMAGES, half, trials)[1]
    assert (found.runtime, found.trial.seconds) == (OPENVINO, {})
    monkeypatch.setitem(RUNTIMES, OPENVINO, Absent())
    assert choose(model, TINY, IMAGES, half, trials)[1].runtime == OPTIMIZED
    assert not trials.path.exists()


def test_bf16_may_differ_by_more(model):
    _, chosen = choose(model, TINY, IMAGES, replace(SETTING, precision="bf16"), NOTHING)
    assert MOST_ERROR["fp32"] < chosen.error <= MOST_ERROR["bf16"]


def test_one_that_is_asked_for_is_taken_or_refused(model, monkeypatch):
    _, chosen = as_asked(model, SETTING, OPTIMIZED)
    assert (chosen.runtime, chosen.rewrite, chosen.trial) == (OPTIMIZED, SETTING.rewrite, None)
    monkeypatch.setitem(RUNTIMES, OPENVINO, Absent())
    with pytest.raises(DependencyError):
        as_asked(model, SETTING, OPENVINO)
    with pytest.raises(DeviceError):
        as_asked(model, replace(SETTING, precision="tf32"), ONNXRUNTIME)


def test_the_architecture_is_the_key_and_not_the_number_of_classes(model, tmp_path):
    trials = TrialCache(tmp_path / "trials.json")
    choose(model, TINY, IMAGES, SETTING, trials)
    before = trials.path.read_text(encoding="utf-8")
    choose(
        randomized(replace(TINY, num_classes=3)),
        replace(TINY, num_classes=3),
        IMAGES,
        SETTING,
        trials,
    )
    assert trials.path.read_text(encoding="utf-8") == before


def test_int8_is_never_computed_by_the_reference(model, monkeypatch):
    setting = replace(SETTING, precision="int8", calibration=IMAGES)
    module, chosen = choose(model, TINY, IMAGES, setting, NOTHING)
    assert chosen.runtime in (ONNXRUNTIME, OPENVINO)
    assert 1e-4 < relative_error(module(IMAGES), model(IMAGES)) <= MOST_ERROR["int8"]
    for name in (ONNXRUNTIME, OPENVINO):
        monkeypatch.setitem(RUNTIMES, name, OneWeightChanged8())
    monkeypatch.setitem(MOST_ERROR, "int8", 1e-9)
    with pytest.raises(DeviceError, match=r"no runtime computes this model in int8 \(openvino: "):
        choose(model, TINY, IMAGES, setting, NOTHING)
