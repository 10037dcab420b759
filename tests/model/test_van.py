"""The reference model, piece by piece, against plain numpy in float64."""

import math

import numpy as np
import pytest
import torch

from tests.support.models import TINY, randomized
from vanbench import create_model
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import build
from vanbench.model.van import VAN, initialize

RTOL = 1e-10


def conv2d(x, weight, bias, stride=1, padding=0, dilation=1, groups=1):
    """Convolution by its definition: x (C, H, W), weight (O, C/groups, k, k)."""
    out_channels, per_group, k, _ = weight.shape
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    span = dilation * (k - 1) + 1
    height = (x.shape[1] - span) // stride + 1
    width = (x.shape[2] - span) // stride + 1
    out = np.zeros((out_channels, height, width))
    for o in range(out_channels):
        first = (o // (out_channels // groups)) * per_group
        for i in range(height):
            for j in range(width):
                rows = slice(i * stride, i * stride + span, dilation)
                cols = slice(j * stride, j * stride + span, dilation)
                patch = x[first : first + per_group, rows, cols]
                out[o, i, j] = (patch * weight[o]).sum() + bias[o]
    return out


def gelu(x):
    return np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))(x)


def batch_norm(x, w, prefix, eps=1e-5):
    scale = w[prefix + "weight"] / np.sqrt(w[prefix + "running_var"] + eps)
    return (x - w[prefix + "running_mean"][:, None, None]) * scale[:, None, None] + w[
        prefix + "bias"
    ][:, None, None]


def layer_norm(x, w, prefix, eps):
    """Over the channels of each position."""
    mean, var = x.mean(axis=0), x.var(axis=0)
    normed = (x - mean) / np.sqrt(var + eps)
    return normed * w[prefix + "weight"][:, None, None] + w[prefix + "bias"][:, None, None]


def conv(x, w, prefix, **kwargs):
    return conv2d(x, w[prefix + "weight"], w[prefix + "bias"], **kwargs)


def lka(u, w, p):
    c = u.shape[0]
    a = conv(u, w, p + "depthwise.", padding=2, groups=c)
    a = conv(a, w, p + "depthwise_dilated.", padding=9, dilation=3, groups=c)
    return u * conv(a, w, p + "pointwise.")


def attention(y, w, p):
    return conv(lka(gelu(conv(y, w, p + "proj_in.")), w, p + "lka."), w, p + "proj_out.") + y


def mlp(y, w, p):
    hidden = conv(y, w, p + "fc1.")
    hidden = conv(hidden, w, p + "depthwise.", padding=1, groups=hidden.shape[0])
    return conv(gelu(hidden), w, p + "fc2.")


def block(x, w, p):
    scale1, scale2 = w[p + "layer_scale1"], w[p + "layer_scale2"]
    x = x + scale1[:, None, None] * attention(batch_norm(x, w, p + "norm1."), w, p + "attention.")
    return x + scale2[:, None, None] * mlp(batch_norm(x, w, p + "norm2."), w, p + "mlp.")


def patch_embed(x, w, p, first):
    k, stride = (7, 4) if first else (3, 2)
    return batch_norm(conv(x, w, p + "conv.", stride=stride, padding=k // 2), w, p + "norm.")


def network(x, w, depths, eps):
    for s, depth in enumerate(depths):
        p = f"stages.{s}."
        x = patch_embed(x, w, p + "patch_embed.", s == 0)
        for b in range(depth):
            x = block(x, w, f"{p}blocks.{b}.")
        x = layer_norm(x, w, p + "norm.", eps)
    return w["head.weight"] @ x.mean(axis=(1, 2)) + w["head.bias"]


@pytest.fixture(scope="module")
def model() -> VAN:
    return randomized().double()


@pytest.fixture(scope="module")
def weights(model):
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def normal(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def run(module, x):
    return module(torch.from_numpy(x)[None])[0].numpy()


PIECES = {
    "attention.lka.": lka,
    "attention.": attention,
    "mlp.": mlp,
    "": block,
}


@pytest.mark.parametrize("piece", PIECES)
def test_each_piece_of_a_block_is_its_formula(model, weights, piece):
    prefix = "stages.1.blocks.1." + piece
    x = normal(TINY.embed_dims[1], 10, 7)
    expected = PIECES[piece](x, weights, prefix)
    np.testing.assert_allclose(
        run(model.get_submodule(prefix[:-1]), x), expected, rtol=RTOL, atol=1e-12
    )


@pytest.mark.parametrize(("stage", "channels"), [(0, 3), (1, 8)])
def test_patch_embedding_is_its_formula(model, weights, stage, channels):
    prefix = f"stages.{stage}.patch_embed."
    x = normal(channels, 17, 13)
    expected = patch_embed(x, weights, prefix, stage == 0)
    np.testing.assert_allclose(
        run(model.get_submodule(prefix[:-1]), x), expected, rtol=RTOL, atol=1e-12
    )


@pytest.mark.parametrize("eps", [1e-5, 1e-6])
def test_the_network_is_the_formula_with_the_given_layer_norm_eps(eps):
    model = randomized(layer_norm_eps=eps).double()
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    x = normal(3, 37, 50)
    np.testing.assert_allclose(
        run(model, x), network(x, weights, TINY.depths, eps), rtol=RTOL, atol=1e-12
    )


def test_tanh_gelu_would_be_noticed(model, weights, monkeypatch):
    """The tolerance above is far below the difference that a wrong GELU makes."""
    x = normal(3, 32, 32)
    exact = run(model, x)
    real = torch.nn.functional.gelu
    monkeypatch.setattr(torch.nn.functional, "gelu", lambda v: real(v, approximate="tanh"))
    assert np.abs(run(model, x) - exact).max() > 1e3 * RTOL * np.abs(exact).max()


@pytest.mark.parametrize("size", [(32, 32), (33, 57), (224, 160)])
def test_any_input_from_32_up(size):
    logits = randomized()(torch.zeros(2, 3, *size))
    assert logits.shape == (2, 10)


def test_smaller_inputs_are_refused():
    with pytest.raises(ValueError, match="at least 32×32"):
        randomized()(torch.zeros(1, 3, 31, 64))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_stage_shapes_of_every_variant(name):
    """Strides 4, 2, 2, 2, and the widths of the table."""
    with torch.device("meta"):
        model = build(ARCHITECTURES[name]).eval()
        x = torch.empty(1, 3, 224, 224)
    for stage, dim, side in zip(
        model.stages, ARCHITECTURES[name].embed_dims, (56, 28, 14, 7), strict=True
    ):
        x = stage(x)
        assert x.shape == (1, dim, side, side)


def test_without_classes_the_pooled_features_come_out():
    model = create_model("van_b0", num_classes=0).eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 256)


def test_initial_values_are_those_of_the_authors_code():
    model = initialize(build(ARCHITECTURES["van_b0"]))
    block = model.stages[0].blocks[0]
    assert torch.equal(block.layer_scale1, torch.full((32,), 0.01))
    assert block.mlp.fc1.bias.abs().max() == 0
    assert block.mlp.fc1.weight.std().item() == pytest.approx(math.sqrt(2 / 256), rel=0.1)
