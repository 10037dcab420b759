"""Convolutions of stride 1 with an element-wise operation after them, plain or fused.

``PlainConvolution`` runs anywhere. ``PackedConvolution`` holds its weight in the blocked layout of
oneDNN and lets the convolution's own kernel apply the operation to each result on its way out, so
that GELU, the gate and the residual sums need no further pass over memory. A third kind, in
``triton_conv``, is for depth-wise convolutions on CUDA.

Shapes: N images, C channels, H × W positions of a feature map.
"""

import os
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN: tuple[Any, ...] = ("none", [], "")
_GELU: tuple[Any, ...] = (
    "gelu",
    [],
    "none",
)  # "none": the exact form


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


class PackedConvolution(nn.Module):
    """The same operations, each one call of oneDNN. CPU and float32 only; channels-last is best.

    The weight is not a parameter any more: the module cannot be copied, moved or saved.
    """

    def __init__(self, conv: nn.Conv2d, input_size: tuple[int, int, int, int]):
        super().__init__()
        self.geometry: tuple[Any, ...] = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(
            conv.weight.detach().to_mkldnn(), *self.geometry, input_size
        )
        self.bias = conv.bias

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            "A model with packed weights cannot be copied or saved: optimize the original again, "
            "or with RewriteConfig(pack=False)."
        )

    def forward(self, x: Tensor) -> Tensor:
        """conv(x), (N, C_in, H, W) -> (N, C, H, W)."""
        return self._call(x, *_PLAIN)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(conv(x)), the exact one."""
        return self._call(x, *_GELU)

    def times(self, x: Tensor, gate: Tensor) -> Tensor:
        """conv(x) · gate."""
        return self._call(x, "mul", 1.0, None, [], None, other=gate)

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """total + conv(x), written over ``total``."""
        return torch.ops.mkldnn._convolution_pointwise_(
            total, x, self.weight, self.bias, *self.geometry, "add", 1.0, None, [], None
        )

    def _call(self, x: Tensor, *operation: Any, other: Tensor | None = None) -> Tensor:
        inputs = (x,) if other is None else (x, other)
        return torch.ops.mkldnn._convolution_pointwise(
            *inputs, self.weight, self.bias, *self.geometry, *operation
        )


def can_pack(weight: Tensor) -> bool:
    """Whether oneDNN takes this weight: on the CPU, in float32, and built into this torch."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise_")
    )


def can_use_triton(device: torch.device) -> bool:
    """Whether ``triton_conv`` runs there: on CUDA with Triton, or anywhere in its interpreter."""
    runs = device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    return runs and find_spec("triton") is not None
