"""The ONNX graph that is written by hand: the reference's logits, whatever the network's numbers."""

import re
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import TINY, randomized
from vanbench.data.preprocess import normalize
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import random_normal, random_weights
from vanbench.runtimes.onnx_graph import OPSET, onnx_model
from vanbench.zoo.entries import EvaluationProtocol

NUMBERS = st.integers(1, 9)
FOUR = st.tuples(*[NUMBERS] * 4)
DRAWN = st.builds(
    Architecture,
    embed_dims=FOUR,
    depths=st.tuples(*[st.integers(1, 2)] * 4),
    mlp_ratios=st.tuples(*[st.integers(1, 4)] * 4),
    num_classes=st.integers(0, 5),
)


def images(count, side):
    return random_normal(count, 3, side, side, generator=torch.Generator().manual_seed(2))


def computed(graph, x):
    """What ONNX Runtime computes, without its optimisations or with them."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return torch.from_numpy(found)


def check(model, graph, side, count=3, most=5e-5):
    """The graph is one by ONNX's rules, and gives the model's logits for each number of images."""
    onnx.checker.check_model(graph, full_check=True)
    x = images(count, side)
    expected = model(x)
    for n in (count, 1):
        difference = (computed(graph, x[:n]) - expected[:n]).abs().max()
        assert difference <= most * expected.abs().max()


@settings(max_examples=25, deadline=None)
@given(DRAWN, st.integers(32, 70), st.sampled_from([1e-5, 1e-6, 1e-3]))
def test_drawn_networks(architecture, side, eps):
    """Odd widths, one channel, sides that no stride divides, no head."""
    model = randomized(architecture, layer_norm_eps=eps)
    for stage in model.stages:
        for block in stage.blocks:  # the gate squares its input: larger ones overflow
            block.layer_scale1.mul_(0.02)
            block.layer_scale2.mul_(0.02)
    check(model, onnx_model(model, side), side)


def test_b0():
    model = random_weights(ARCHITECTURES["van_b0"])
    check(model, onnx_model(model, 224), 224, count=2)


@pytest.mark.slow
def test_b2():
    model = random_weights(ARCHITECTURES["van_b2"])
    check(model, onnx_model(model, 224), 224, count=2)


@pytest.mark.parametrize("architecture", [TINY, Architecture((5, 9, 14, 21), (1, 1, 2, 1), (3, 4, 2, 1), 7)],
                         ids=["tiny", "odd"])  # fmt: skip
def test_the_graph_of_torch_onnx_export_gives_the_same(architecture, tmp_path):
    """Torch's own tracer of the reference, which shares no code with this graph."""
    model, x = random_weights(architecture), images(2, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), tmp_path / "van.onnx", dynamo=False)
    found, expected = (
        computed(onnx_model(model, 64), x),
        computed(onnx.load(tmp_path / "van.onnx"), x),
    )
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("mean_and_std", [(127.5, 127.5), (0.0, 1.0), (123.675, 58.395)])
def test_normalisation_inside_is_that_of_the_protocol(mean_and_std):
    mean, std = mean_and_std
    protocol = EvaluationProtocol(mean=(mean, mean / 2, mean / 3), std=(std, std * 2, std * 3))
    model = randomized()
    graph = onnx_model(model, 32, normalization=protocol)
    onnx.checker.check_model(graph, full_check=True)
    pixels = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    expected = model(normalize(pixels, protocol))
    found = computed(graph, pixels.permute(0, 2, 3, 1).contiguous())
    assert (found - expected).abs().max() < 5e-5 * expected.abs().max()


def test_the_names_say_where_a_thing_is():
    """A node is called by its module; a value by its node; a weight as in the state dict."""
    model = randomized()
    graph = onnx_model(model, 32).graph
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    assert "/stages/1/blocks/1/attention/lka/depthwise_dilated/Conv" in names
    assert names[0] == "/stages/0/patch_embed/conv/Conv"
    assert names[-2:] == ["/Flatten", "/head/Gemm"]
    for node in graph.node:
        assert re.fullmatch(rf"/([\w/]+/)?{node.op_type}(_\d+)?", node.name)
        assert list(node.output) in ([node.name], ["logits"])
    weights = {t.name for t in graph.initializer} - {f"constant_{i}" for i in range(3)}
    counters = {name for name in model.state_dict() if name.endswith("num_batches_tracked")}
    assert weights == model.state_dict().keys() - counters


def test_the_opset_is_the_first_that_has_all_operations():
    graph = onnx_model(randomized(), 32)
    assert [(opset.domain, opset.version) for opset in graph.opset_import] == [("", OPSET)]
    since = {onnx.defs.get_schema(node.op_type, OPSET).since_version for node in graph.graph.node}
    assert max(since) == OPSET


def test_weights_of_other_types_become_float32():
    model = randomized().double()
    graph = onnx_model(model, 32)
    for tensor in graph.graph.initializer:
        assert onnx.numpy_helper.to_array(tensor).dtype == np.float32
    check(model.float(), graph, 32)
