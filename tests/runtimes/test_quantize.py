"""int8 in ONNX Runtime and OpenVINO: the demo's trained models, over the demo's images."""

import logging
import platform
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from tests.support.command_line import DEMO, DEMO_IMAGES
from vanbench.checkpoints.load import load_model
from vanbench.data.open import open_images
from vanbench.data.preprocess import normalize
from vanbench.errors import DependencyError, DeviceError
from vanbench.evaluation.crops import CropsOf
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_normal, random_weights
from vanbench.runtimes import names, onnx_runtime, open_vino, quantize
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.open_vino import OpenVinoRequests
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.reader import load_zoo

CPU = torch.device("cpu")
SCHEMES = {names.ONNXRUNTIME: onnx_runtime.INT8, names.OPENVINO: open_vino.INT8}
EACH = pytest.mark.parametrize("runtime", names.QUANTISED)


@pytest.fixture(scope="module")
def images():
    """The demo's 360 images, normalised."""
    protocol = load_zoo("demo").entries[0].protocol
    crops = CropsOf(open_images(DEMO_IMAGES, protocol.class_ids), protocol)
    return normalize(torch.cat([crops[i].pixels for i in range(len(crops))]), protocol)


@pytest.fixture(scope="module")
def nano():
    return demo_model("van-nano")


def demo_model(name):
    (path,) = DEMO.glob(f"{name}*.pth")
    return load_model(path)


def setting(images, count=16):
    return Setting(CPU, "int8", 32, calibration=images[:: len(images) // count][:count])


def graph_of(model, images, runtime):
    return onnx.load_from_string(quantize.quantized(model, setting(images), SCHEMES[runtime])).graph


@EACH
@pytest.mark.parametrize("name", ["van-nano", "van-micro"])
def test_few_predictions_differ_from_fp32(name, runtime, images):
    """0 or 1 of 360 and 0.8 to 1.6 % in the logits, when it was measured with 120 images."""
    model = demo_model(name)
    with torch.inference_mode():
        expected = model(images)
    found = RUNTIMES[runtime].prepare(model, setting(images, 120))(images)
    assert int((found.argmax(1) != expected.argmax(1)).sum()) <= 4
    error = float((found - expected).square().mean() / expected.square().mean()) ** 0.5
    assert 0.001 < error < 0.025


@EACH
def test_the_convolutions_have_8_bit_weights_and_nothing_else_has(runtime, images, nano):
    graph = graph_of(nano, images, runtime)
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 36
    quantised = 0
    for node in convolutions:
        weight = made_by.get(node.input[1])
        depthwise = next(a.i for a in node.attribute if a.name == "group") > 1
        assert (weight is not None) == (SCHEMES[runtime].depthwise or not depthwise)
        if weight is not None:
            number, scale, zero = (values[name] for name in weight.input)
            assert (number.dtype, scale.shape) == (np.int8, number.shape[:1])
            assert not zero.any()
            quantised += 1
    eight_bits = [v for v in values.values() if v.dtype == np.int8 and v.ndim > 1]
    assert len(eight_bits) == quantised == (36 if SCHEMES[runtime].depthwise else 24)


def test_onnx_runtime_computes_in_int8(images, nano, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    content = quantize.quantized(nano, setting(images), onnx_runtime.INT8)
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert found.count("QLinearConv") == 24


def test_openvino_computes_in_int8(images, nano):
    requests = RUNTIMES[names.OPENVINO].prepare(nano, setting(images))
    assert precisions(requests) == {"u8"}


def precisions(requests):
    """What the convolutions of a compiled graph compute in."""
    operations = requests.alone.get_compiled_model().get_runtime_model().get_ordered_ops()
    infos = [operation.get_rt_info() for operation in operations]
    return {info["runtimePrecision"] for info in infos if info["layerType"] == "Convolution"}


@EACH
def test_the_same_images_give_the_same_bytes(runtime, images, nano):
    once, again = (quantize.quantized(nano, setting(images), SCHEMES[runtime]) for _ in range(2))
    assert once == again
    assert once != quantize.quantized(nano, setting(images, 17), SCHEMES[runtime])


def test_nothing_is_left_behind(images, nano, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = list(logging.root.handlers), logging.root.manager.disable
    RUNTIMES[names.OPENVINO].prepare(nano, setting(images))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert before == (logging.root.handlers, logging.root.manager.disable)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [n for n in names.NAMES if n not in names.QUANTISED])
def test_other_runtimes_name_those_that_have_int8(name):
    with pytest.raises(DeviceError, match="does not compute in int8") as failed:
        RUNTIMES[name].check(CPU, "int8")
    assert failed.value.remedy.endswith("For int8: --runtime onnxruntime or openvino.")


def test_those_that_have_int8_are_known_by_name():
    assert tuple(n for n, r in RUNTIMES.items() if "int8" in r.precisions) == names.QUANTISED


def test_openvino_without_the_tool_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(quantize, "TOOL", "no-such-tool")
    with pytest.raises(DependencyError, match="needs no-such-tool to quantise") as failed:
        RUNTIMES[names.OPENVINO].check(CPU, "int8")
    assert failed.value.remedy == "Install it with: pip install 'vanbench[onnx]'"
    RUNTIMES[names.OPENVINO].check(CPU, "fp32")


@pytest.mark.parametrize(
    ("machine", "vnni", "flags", "expected"),
    [
        ("x86_64", True, "", False),
        ("x86_64", False, "flags : fpu avx2 avx_vnni", False),
        ("x86_64", False, "flags : fpu avx2", True),
        ("AMD64", False, "", True),
        ("aarch64", False, "Features : asimd", False),
    ],
)
def test_weights_have_7_bits_where_sums_saturate(machine, vnni, flags, expected, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    monkeypatch.setattr(Path, "read_text", lambda path, **_: flags)
    assert quantize.saturates() is expected


@pytest.mark.parametrize(("saturates", "most"), [(False, 127), (True, 64)])
def test_the_range_of_weights(saturates, most, images, nano, monkeypatch):
    monkeypatch.setattr(quantize, "saturates", lambda: saturates)
    graph = graph_of(nano, images, names.OPENVINO)
    weights = [numpy_helper.to_array(each) for each in graph.initializer]
    assert max(abs(w).max() for w in weights if w.dtype == np.int8 and w.ndim > 1) == most


def test_openvino_computes_in_the_precision_that_was_asked_for(nano):
    """Or says that it does not: with f16 on a processor that has bf16 only, it takes bf16."""
    from vanbench.runtimes.onnx_graph import onnx_model

    can = open_vino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    content = onnx_model(nano, 32).SerializeToString()
    for kind, capability in (("f32", "FP32"), ("bf16", "BF16"), ("f16", "FP16")):
        if capability in can:
            assert precisions(OpenVinoRequests(open_vino.core().read_model(content), kind)) == {
                kind
            }
        else:
            with pytest.raises(AssertionError, match=f"instead of {kind}"):
                OpenVinoRequests(open_vino.core().read_model(content), kind)


@EACH
def test_odd_widths_and_any_number_of_images(runtime):
    model = random_weights(Architecture((5, 9, 14, 21), (1, 1, 2, 1), (3, 4, 2, 1), 7)).eval()
    images = random_normal(7, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    module = RUNTIMES[runtime].prepare(model, Setting(CPU, "int8", 64, calibration=images))
    with torch.inference_mode():
        expected = model(images)
    for count in (7, 1, 2):
        found = module(images[:count])
        torch.testing.assert_close(
            found, expected[:count], rtol=0, atol=0.1 * float(expected.abs().max())
        )
