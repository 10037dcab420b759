"""Run by test_triton_conv.py in a process with TRITON_INTERPRET=1: the kernel, on the CPU."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.support.models import images, randomized, relative
from vanbench.inference.optimized import optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.inference.triton_conv import CHANNELS, POSITIONS, TritonConvolution, depthwise

SHAPES = [
    (1, CHANNELS, 1, POSITIONS, 7, 3),  # N, C, H, W, taps, dilation: exactly one program
    (3, CHANNELS + 1, 4, 5, 3, 1),
    (2, 5, 13, 1, 5, 1),
    (1, 3, 5, 11, 7, 3),
]
BOUNDS = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}


def case(n, c, h, w, taps, dilation, dtype):
    torch.manual_seed(0)
    conv = nn.Conv2d(c, c, taps, padding=taps // 2 * dilation, dilation=dilation, groups=c)
    return conv.to(dtype).requires_grad_(False), torch.randn(n, c, h, w, dtype=dtype)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_convolution_and_gelu(shape, dtype):
    conv, x = case(*shape, dtype)
    module = TritonConvolution(conv)
    expected = conv.double()(x.double())
    for found, right in ((module(x), expected), (module.gelu(x), F.gelu(expected))):
        assert found.dtype == dtype
        assert relative(found.double(), right) < BOUNDS[dtype]
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_are_float32_for_smaller_types(dtype):
    """As under autocast: small features, float32 weights. Only the result is rounded.

    The interpreter rounds to bfloat16 towards zero.
    """
    conv, x = case(*SHAPES[1], torch.float32)
    x = x.to(dtype)
    found, right = TritonConvolution(conv)(x), conv(x.float())
    steps = (found.float() - right).abs() / (torch.finfo(dtype).eps * right.abs())
    assert steps.max() <= 1


def test_features_may_lie_in_any_order():
    conv, x = case(*SHAPES[1], torch.float32)
    expected = TritonConvolution(conv)(x)
    for other in (
        x.contiguous(memory_format=torch.channels_last),
        x.transpose(2, 3).contiguous().transpose(2, 3),
        torch.cat([x, x])[: len(x)],
        torch.cat([x, x], 1)[:, : x.shape[1]],
    ):
        assert torch.equal(TritonConvolution(conv)(other), expected)


def test_it_is_an_operator_of_torch():
    conv, x = case(*SHAPES[1], torch.float32)
    module = TritonConvolution(conv)
    arguments = (x, module.weight, module.bias, module.dilation, True)
    tests = ("test_schema", "test_faketensor", "test_aot_dispatch_static")
    torch.library.opcheck(depthwise, arguments, test_utils=tests)


def test_torchs_compiler_takes_it_as_one_operator():
    conv, x = case(*SHAPES[1], torch.float32)
    module = TritonConvolution(conv)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    with torch.inference_mode():
        assert torch.equal(compiled(x), module(x))


def test_the_whole_network_is_exact():
    config = RewriteConfig((False,) * 4, pack=False, micro_batch=0, parallel=False, triton=True)
    model, x = randomized().double(), images((33, 32), 1)
    fast = optimize(model, config=config)
    kinds = [type(module) for module in fast.modules()]
    assert kinds.count(TritonConvolution) == 3 * 5  # in each of five blocks
    assert relative(fast(x), model(x)) < 1e-10
