"""A depth-wise convolution as one Triton kernel, for CUDA and channels-last features.

Each program computes some positions of some channels: it adds up the kernel's taps in registers,
bias and GELU included, so that features are read and written once. Neighbouring programs find the
positions that they share in the cache.

Triton comes with torch's builds for CUDA; ``fused_conv.can_use_triton`` says where this module can
be imported. TRITON_INTERPRET=1 runs the kernel on the CPU, which is how it is tested without a GPU.

Shapes: N images, C channels, H × W positions of a feature map, K × K taps.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

POSITIONS, CHANNELS = 32, 32
"""Of a program. 32 channels of float32 are 128 bytes, side by side. A larger program needs more
registers, so that fewer run at once."""
SQRT_HALF = tl.constexpr(0.5**0.5)


def _compute(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    y: tl.tensor,
    positions: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    channels: tl.tensor,
    TAPS: tl.constexpr,
    DILATION: tl.constexpr,
    GELU: tl.constexpr,
    TOTAL: tl.constexpr,
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> None:
    """The kernel: x (N·H·W, C), weight (K·K, C) and bias (C,) to y (N·H·W, C)."""
    position = tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    row, column = position // width % height, position % width
    here, known = position < positions, channel < channels
    offset = position.to(tl.int64)[:, None] * channels + channel[None, :]
    total = tl.zeros((POSITIONS, CHANNELS), TOTAL)
    for i in range(TAPS):  # unrolled, 49 taps in a row need more registers than there are
        for j in tl.static_range(TAPS):
            down, right = (i - TAPS // 2) * DILATION, (j - TAPS // 2) * DILATION
            inside = (row + down >= 0) & (row + down < height)
            inside = inside & (column + right >= 0) & (column + right < width) & here
            source = x + offset + (down * width + right) * channels
            values = tl.load(source, mask=inside[:, None] & known[None, :], other=0.0).to(TOTAL)
            tap = tl.load(weight + (i * TAPS + j) * channels + channel, mask=known, other=0.0)
            total += values * tap.to(TOTAL)[None, :]
    total += tl.load(bias + channel, mask=known, other=0.0).to(TOTAL)[None, :]
    if GELU:
        total = 0.5 * total * (1 + tl.math.erf(total * SQRT_HALF))
    tl.store(y + offset, total, mask=here[:, None] & known[None, :])


# One machine code for all sizes of feature maps.
_kernel: Any = triton.jit(_compute, do_not_specialize=["positions", "height", "width"])


@torch.library.custom_op("vanbench::depthwise", mutates_args=())
def depthwise(x: Tensor, weight: Tensor, bias: Tensor, dilation: int, gelu: bool) -> Tensor:
    """A "same" convolution of stride 1, (N, C, H, W) -> (N, C, H, W) in the type of ``x``.

    ``weight`` is (K², C), tap by tap. Sums are float32, or float64 for float64 features. The result
    is channels-last.
    """
    n, c, h, w = x.shape
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.empty_like(x, memory_format=torch.channels_last)
    positions, taps = n * h * w, round(len(weight) ** 0.5)
    grid = (triton.cdiv(positions, POSITIONS), triton.cdiv(c, CHANNELS))
    total = tl.float64 if x.dtype == torch.float64 else tl.float32
    with torch.cuda.device(x.get_device()):  # Triton launches on the current one; −1 changes none
        _kernel[grid](
            *(x, weight, bias, y, positions, h, w, c, taps, dilation, gelu, total),
            *(POSITIONS, CHANNELS),
        )
    return y


@depthwise.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor, dilation: int, gelu: bool) -> Tensor:
    return torch.empty_like(x, memory_format=torch.channels_last)


class TritonConvolution(nn.Module):
    """A depth-wise "same" convolution of stride 1 and, if asked, the exact GELU after it."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.dilation = conv.dilation[0]
        assert conv.groups == conv.in_channels == conv.out_channels, "depth-wise only"
        assert conv.padding[0] == conv.kernel_size[0] // 2 * self.dilation, "same-size only"
        by_tap = conv.weight.flatten(1).T.contiguous()  # (K², C)
        self.weight = nn.Parameter(by_tap, requires_grad=False)
        self.bias: Any = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """conv(x), (N, C, H, W) -> (N, C, H, W)."""
        return depthwise(x, self.weight, self.bias, self.dilation, False)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(conv(x)), the exact one."""
        return depthwise(x, self.weight, self.bias, self.dilation, True)
