"""Convolutions of stride 1 with an element-wise operation after them, in torch's own operations.

They run anywhere. ``packed`` has faster ones for the CPU, and ``triton_conv`` one for depth-wise
convolutions on CUDA.

Shapes: N images, C channels, H × W positions of a feature map.
"""

import os
from importlib.util import find_spec

import torch
from torch import Tensor, nn


class PlainConvolution(nn.Module):
    """torch's convolution, then the operation."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """conv(x), (N, C_in, H, W) -> (N, C, H, W)."""
        return self.conv(x)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(conv(x)), the exact one."""
        return torch.ops.aten.gelu_(self.conv(x))

    def times(self, x: Tensor, gate: Tensor) -> Tensor:
        """conv(x) · gate."""
        return self.conv(x).mul_(gate)

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """total + conv(x), written over ``total``."""
        return total.add_(self.conv(x))


def can_use_triton(device: torch.device) -> bool:
    """Whether ``triton_conv`` runs there: on CUDA with Triton, or anywhere in its interpreter."""
    runs = device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    return runs and find_spec("triton") is not None
