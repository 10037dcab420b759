"""Each fused convolution gives what the convolution and the operation after it give."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vanbench.inference.fused_conv import PlainConvolution


@pytest.mark.parametrize("groups", [1, 8])
def test_every_operation_is_the_convolution_and_what_follows(groups):
    torch.manual_seed(0)
    kernel = 5 if groups > 1 else 1
    conv = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=groups).requires_grad_(False)
    module = PlainConvolution(conv)
    x = torch.randn(2, 8, 9, 7).contiguous(memory_format=torch.channels_last)
    other = torch.randn(2, 8, 9, 7).contiguous(memory_format=torch.channels_last)
    y = conv(x)
    torch.testing.assert_close(module(x), y)
    torch.testing.assert_close(module.gelu(x), F.gelu(y))
    torch.testing.assert_close(module.times(x, other), y * other)
    total = other.clone(memory_format=torch.preserve_format)
    result = module.add_to(total, x)
    torch.testing.assert_close(result, other + y)
    assert result.data_ptr() == total.data_ptr()
