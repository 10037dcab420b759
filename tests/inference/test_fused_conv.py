"""Each fused convolution gives what the convolution and the operation after it give."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vanbench.inference.fused_conv import PackedConvolution, PlainConvolution, can_pack

needs_packing = pytest.mark.skipif(
    not can_pack(torch.ones(1)), reason="needs a torch with oneDNN's fused kernels"
)


def convolution(groups):
    torch.manual_seed(0)
    kernel = 5 if groups > 1 else 1
    conv = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=groups)
    return conv.eval().requires_grad_(False)


def fused(conv, packed):
    if packed:
        return PackedConvolution(conv, (2, 8, 9, 7))
    return PlainConvolution(conv)


@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=needs_packing)])
@pytest.mark.parametrize("groups", [1, 8])
def test_every_operation_is_the_convolution_and_what_follows(groups, packed):
    conv = convolution(groups)
    module = fused(copy.deepcopy(conv), packed)
    x = torch.randn(2, 8, 9, 7).contiguous(memory_format=torch.channels_last)
    other = torch.randn(2, 8, 9, 7).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        y = conv(x)
        torch.testing.assert_close(module(x), y)
        torch.testing.assert_close(module.gelu(x), F.gelu(y))
        torch.testing.assert_close(module.times(x, other), y * other)
        total = other.clone(memory_format=torch.preserve_format)
        result = module.add_to(total, x)
        torch.testing.assert_close(result, other + y)
        assert result.data_ptr() == total.data_ptr()


@needs_packing
def test_packed_weights_cannot_be_copied():
    with pytest.raises(TypeError, match="cannot be copied or saved"):
        copy.deepcopy(PackedConvolution(convolution(1), (2, 8, 9, 7)))


def test_only_float32_on_a_cpu_can_be_packed():
    assert not can_pack(torch.ones(1, dtype=torch.float64))
    assert not can_pack(torch.ones(1, device="meta"))
