"""Which runtimes are measured in which precisions."""

import pytest
import torch

from vanbench.benchmark.bench import BenchOptions
from vanbench.benchmark.runtime_cases import (
    FIRST,
    Case,
    cases,
    not_measured,
    resolve_runtime,
    van_of,
)
from vanbench.errors import DependencyError, DeviceError, VanbenchError
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.reader import load_zoo

HERE = BenchOptions()


def found(runtime, precision=None, options=HERE):
    return [f"{case.runtime} {case.precision}" for case in cases(runtime, precision, options)]


def without(monkeypatch, name):
    """As if the packages of a runtime were not installed."""
    monkeypatch.setattr(type(RUNTIMES[name]), "distributions", ("no-such-package",))


def test_all_begins_with_the_reference_and_has_no_precision_that_is_another_one_here():
    every = found("all")
    assert every[0] == "reference fp32"
    assert {"reference bf16", "optimized fp32", "onnxruntime fp32", "openvino fp32"} <= {*every}
    assert not any("tf32" in case for case in every)  # which a CPU does not have
    assert "reference fp16" not in every  # which torch only emulates on a CPU
    assert len(every) == len({*every})


def test_a_precision_that_was_asked_for_is_measured_beside_fp32():
    assert found("all", "bf16")[:2] == ["reference fp32", "reference bf16"]
    assert all(case.endswith("bf16") for case in found("all", "bf16")[1:])
    assert "reference fp16" in found("all", "fp16")


def test_compiled_is_left_out_unless_it_is_wanted():
    assert "compiled fp32" not in found("all")
    (row,) = not_measured("all", HERE)
    assert (row.label, row.status) == ("compiled", "left out")
    assert "--compile" in row.reason
    wanted = BenchOptions(compile=True)
    assert "compiled fp32" in found("all", options=wanted)
    assert list(not_measured("all", wanted)) == []


def test_a_named_runtime_is_beside_the_reference():
    assert cases("onnxruntime", "fp32", HERE) == [FIRST, Case("onnxruntime", "fp32")]
    assert list(not_measured("onnxruntime", HERE)) == []


def test_a_runtime_that_is_not_installed_is_a_row_or_an_error(monkeypatch):
    without(monkeypatch, "openvino")
    assert not any("openvino" in case for case in found("all"))
    row = next(row for row in not_measured("all", HERE) if row.runtime == "openvino")
    assert (row.status, row.reason) == ("not installed", "pip install 'vanbench[openvino]'")
    with pytest.raises(DependencyError, match=r"pip install 'vanbench\[openvino\]'"):
        cases("openvino", "fp32", HERE)


def test_a_precision_or_device_that_a_named_runtime_has_not_is_an_error():
    with pytest.raises(DeviceError, match="does not compute in tf32"):
        cases("onnxruntime", "tf32", HERE)
    with pytest.raises(DeviceError, match="computes on the CPU"):
        cases("openvino", "fp32", BenchOptions(device=torch.device("meta")))
    with pytest.raises(DeviceError, match="expected a GPU with TF32"):
        cases("all", "tf32", HERE)


@pytest.mark.parametrize(
    ("runtime", "compile", "expected"),
    [
        (None, False, (None, False)),
        (None, True, (None, True)),
        ("auto", False, (None, False)),
        ("optimized", False, (None, False)),
        ("compiled", False, (None, True)),
        ("all", True, ("all", True)),
        ("openvino", False, ("openvino", False)),
    ],
)
def test_names_of_the_usual_benchmark(runtime, compile, expected):
    assert resolve_runtime(runtime, compile=compile) == expected


def test_compiling_another_runtime_is_refused():
    with pytest.raises(ValueError, match="compile is the runtime compiled, found the runtime open"):
        resolve_runtime("openvino", compile=True)


def test_runtimes_are_for_vans():
    entry = load_zoo("torchvision").entries[0]
    with pytest.raises(VanbenchError, match="is no VAN"):
        van_of(entry)
