"""oneDNN's kernels give what the convolution and the operation after it give, on packed weights."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.support.models import TINY, images, randomized, relative
from vanbench.inference import packed
from vanbench.inference.optimized import optimize
from vanbench.inference.packed import PackedConvolution, PackedPointwise
from vanbench.inference.passes import RegroupedConvolution, regroup, ungroup
from vanbench.inference.rewrite_config import RewriteConfig

pytestmark = pytest.mark.skipif(
    not packed.can_pack(torch.ones(1)), reason="needs a torch with oneDNN's fused kernels"
)

DTYPES = [torch.float32, torch.bfloat16]


def conv2d(kernel=1, groups=1, stride=1, bias=True, dilation=1):
    torch.manual_seed(0)
    padding = kernel // 2 * dilation
    conv = nn.Conv2d(8, 8, kernel, stride, padding, dilation, groups, bias=bias)
    return conv.eval().requires_grad_(False)


def features(dtype=torch.float32, seed=1):
    """(N, H, W, C) of a plane whose sides are no multiples of 3."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 10, 7, 8, generator=generator).to(dtype)


def plain(conv, x):
    """The convolution in float32 of weights and features in the type of ``x``."""
    exact = copy.deepcopy(conv).to(x.dtype).float()
    return exact(x.float().permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def assert_close(found, expected, dtype):
    assert found.dtype == dtype
    tolerance = {} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    torch.testing.assert_close(found.float(), expected, **tolerance)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_operation_after_a_pointwise_convolution(dtype, bias):
    conv = conv2d(bias=bias)
    module, x, other = PackedPointwise(conv, 140, dtype), features(dtype), features(dtype, 2)
    y, before = plain(conv, x), other.clone()
    assert_close(module(x), y, dtype)
    assert_close(module.gelu(x), F.gelu(y), dtype)
    assert_close(module.times(x, other), y * other.float(), dtype)
    assert_close(module.add_to(other, x), other.float() + y, dtype)
    assert torch.equal(other, before)


def test_sums_of_bfloat16_terms_stay_float32():
    conv = conv2d()
    x, total = features(torch.bfloat16), 1000 * features(seed=2)
    expected = total + plain(conv, x)
    found = PackedPointwise(conv, 140, torch.bfloat16).add_to(total, x)
    assert found.dtype == torch.float32
    assert found.data_ptr() == total.data_ptr()
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {"kernel": 5, "groups": 8},
        {"kernel": 3, "stride": 2},
        {"kernel": 7, "groups": 8, "dilation": 3},
    ],
    ids=["depth-wise", "strided", "dilated"],
)
def test_any_other_convolution_and_gelu(dtype, options):
    conv, x = conv2d(**options), features(dtype)
    module = PackedConvolution(conv, 10, dtype)
    assert_close(module(x), plain(conv, x), dtype)
    assert_close(module.gelu(x), F.gelu(plain(conv, x)), dtype)


@pytest.mark.parametrize("size", [(9, 9), (10, 7), (1, 2), (3, 5), (14, 14)])
def test_gathered_planes_are_the_regrouped_ones_and_come_back(size):
    x = images(size)
    gathered = packed.gather_planes(x.permute(0, 2, 3, 1), 3)
    assert torch.equal(gathered.permute(0, 3, 1, 2), regroup(x, 3))
    y = images((-(-size[0] // 3), -(-size[1] // 3)), batch=27)
    back = packed.gather_back(y.permute(0, 2, 3, 1), 3, x.permute(0, 2, 3, 1).shape)
    assert torch.equal(back.permute(0, 3, 1, 2), ungroup(y, 3, x.shape))


def test_a_dilated_convolution_on_gathered_planes():
    conv, x = conv2d(kernel=7, groups=8, dilation=3), features()
    module = packed.PackedRegrouped(RegroupedConvolution(copy.deepcopy(conv)), 10, torch.float32)
    assert_close(module(x), plain(conv, x), torch.float32)


@pytest.mark.parametrize("size", [(64, 64), (45, 77), (32, 130)])
def test_packed_stages_give_the_same_features(size):
    model, x = randomized(replace(TINY, num_classes=0)), images(size, dtype=torch.float32)
    unpacked = optimize(model, config=RewriteConfig(pack=False))
    fast = optimize(model)
    assert fast.packed
    assert not unpacked.packed
    assert relative(fast(x), unpacked(x)) < 1e-5


@pytest.mark.parametrize("config", [RewriteConfig(), RewriteConfig(regroup=(False,) * 4)])
def test_bfloat16_is_as_close_as_autocast(config):
    """Also under autocast, which then does nothing."""
    model, x = randomized(), images(batch=5, dtype=torch.float32)
    expected = model(x)
    fast = optimize(model, config=config, precision="bf16")
    with torch.autocast("cpu", torch.bfloat16):
        autocast, found = model(x).float(), fast(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, fast(x))
    assert 0 < relative(found, expected) < 1.5 * relative(autocast, expected)


@pytest.mark.parametrize("module", [lambda: PackedPointwise(conv2d(), 140)])
def test_packed_weights_cannot_be_copied(module):
    with pytest.raises(TypeError, match="cannot be copied or saved"):
        copy.deepcopy(module())


def test_only_float32_on_a_cpu_can_be_packed():
    assert not packed.can_pack(torch.ones(1, dtype=torch.float64))
    assert not packed.can_pack(torch.ones(1, device="meta"))


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_packed_where_the_processor_multiplies_it(monkeypatch, has):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    assert packed.packs_for("bf16") is has
    assert packed.packs_for("fp32")
    assert not packed.packs_for("fp16")
