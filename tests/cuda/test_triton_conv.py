"""On a GPU: the Triton kernel gives what torch's convolution gives."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.cuda.device import CUDA, MARKS
from tests.support.models import relative

pytestmark = MARKS
pytest.importorskip("triton")

SHAPES = [
    (2, 40, 56, 55, 7, 3),  # N, C, H, W, taps, dilation
    (3, 33, 7, 7, 5, 1),
    (5, 512, 14, 13, 3, 1),
    (1, 1, 1, 1, 7, 3),
]
BOUNDS = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}


def convolution(c, taps, dilation):
    padding = taps // 2 * dilation
    conv = nn.Conv2d(c, c, taps, padding=padding, dilation=dilation, groups=c)
    return conv.requires_grad_(False)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_convolution_and_gelu(shape, dtype):
    from vanbench.inference.triton_conv import TritonConvolution

    n, c, h, w, taps, dilation = shape
    torch.manual_seed(0)
    conv, x = convolution(c, taps, dilation).to(dtype), torch.randn(n, c, h, w, dtype=dtype)
    module = TritonConvolution(conv).to(CUDA)
    plain, gelu = module(x.to(CUDA)).cpu(), module.gelu(x.to(CUDA)).cpu()
    expected = conv.double()(x.double())
    assert plain.dtype == gelu.dtype == dtype
    assert relative(plain.double(), expected) < BOUNDS[dtype]
    assert relative(gelu.double(), F.gelu(expected)) < BOUNDS[dtype]


def test_features_of_more_than_two_thousand_million_values():
    """Positions are counted in 64 bits."""
    from vanbench.inference.triton_conv import TritonConvolution

    side, c = 8256, 32
    if torch.cuda.mem_get_info(CUDA)[0] < 6 * side**2 * c:
        pytest.skip("needs 14 GB of memory on the GPU")
    conv = convolution(c, 7, 3)
    x = torch.zeros(1, c, side, side, device=CUDA, dtype=torch.float16)
    x = x.contiguous(memory_format=torch.channels_last)
    corner = torch.randn(1, c, 40, 40, dtype=torch.float16)
    x[:, :, -40:, -40:] = corner.to(CUDA)
    found = TritonConvolution(conv).to(CUDA)(x)[:, :, -20:, -20:].cpu()
    assert relative(found.float(), conv(corner.float())[:, :, -20:, -20:]) < 1e-3
