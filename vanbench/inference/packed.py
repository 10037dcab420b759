"""The stages of a folded VAN on oneDNN's own kernels: weights packed once, for the CPU.

A convolution's kernel applies the operation after it (GELU, gate, residual sum) to each result on
its way out, so that these need no pass over memory of their own. Between the kernels, features lie
as (N, H, W, C), which is what 1×1 convolutions, as matrix products, and LayerNorm read fastest.

In bfloat16 the kernels read and write bfloat16; the sums of the residual branches and LayerNorm
stay float32.

Shapes: N images, C channels, H × W positions of a feature map.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from vanbench.inference.passes import (
    TYPICAL_SIDES,
    RegroupedConvolution,
    ResidualBlock,
    SplitMlp,
    regroup,
    ungroup,
)
from vanbench.model.van import VAN, Stage

IMAGES = 4
"""The number of images that weights are packed for; any other number gives the same."""

_PLAIN: tuple[Any, ...] = ("none", [], "")
_GELU: tuple[Any, ...] = ("gelu", [], "none")  # "none": the exact form


def can_pack(weight: Tensor) -> bool:
    """Whether oneDNN takes this weight: on the CPU, in float32, and built into this torch."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def packs_for(precision: str) -> bool:
    """Whether packed weights are worth while in a precision, on this processor.

    For bfloat16, it must multiply such numbers: one that converts them is slower than in float32.
    """
    if precision == "bf16":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return supported is not None and bool(supported())
    return precision == "fp32"


class _Packed(nn.Module):
    """A module whose weight is in a layout of oneDNN, and no parameter any more."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            "A model with packed weights cannot be copied or saved: optimize the original again, "
            "or with RewriteConfig(pack=False)."
        )


class PackedPointwise(_Packed):
    """A 1×1 convolution, and an operation after it: one matrix product of oneDNN."""

    def __init__(self, conv: nn.Conv2d, positions: int, dtype: torch.dtype = torch.float32):
        super().__init__()
        weight = conv.weight.detach().flatten(1).to(dtype).contiguous()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, positions)
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """conv(x), (N, H, W, C_in) -> (N, H, W, C)."""
        return torch.ops.mkldnn._linear_pointwise.default(x, self.weight, self.bias, *_PLAIN)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(conv(x)), the exact one."""
        return torch.ops.mkldnn._linear_pointwise.default(x, self.weight, self.bias, *_GELU)

    def times(self, x: Tensor, gate: Tensor) -> Tensor:
        """conv(x) · gate."""
        return torch.ops.mkldnn._linear_pointwise.binary(x, gate, self.weight, self.bias, "mul")

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """total + conv(x); a float32 ``total`` of bfloat16 terms is written over."""
        if total.dtype != x.dtype:
            return total.add_(self(x))
        return torch.ops.mkldnn._linear_pointwise.binary(x, total, self.weight, self.bias, "add")


class PackedConvolution(_Packed):
    """Any other convolution, and perhaps the exact GELU after it: one call of oneDNN."""

    def __init__(self, conv: nn.Conv2d, side: int, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.geometry: tuple[Any, ...] = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(
            conv.weight.detach().to(dtype).to_mkldnn(),
            *self.geometry,
            (IMAGES, conv.in_channels, side, side),
        )
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """conv(x), (N, H, W, C_in) -> (N, H', W', C)."""
        return self._call(x, *_PLAIN)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(conv(x))."""
        return self._call(x, *_GELU)

    def _call(self, x: Tensor, *operation: Any) -> Tensor:
        y: Tensor = torch.ops.mkldnn._convolution_pointwise.default(
            x.permute(0, 3, 1, 2), self.weight, self.bias, *self.geometry, *operation
        )
        return y.permute(0, 2, 3, 1)


class PackedRegrouped(nn.Module):
    """A ``RegroupedConvolution``: regrouping is one gather of positions, its inverse another."""

    def __init__(self, dilated: RegroupedConvolution, side: int, dtype: torch.dtype):
        super().__init__()
        self.dilation = d = dilated.dilation
        self.conv = PackedConvolution(dilated.conv, -(-side // d), dtype)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(gather_planes(x, self.dilation))
        return gather_back(y, self.dilation, x.shape)  # (N, H, W, C)


def gather_planes(x: Tensor, d: int) -> Tensor:
    """``regroup``, (N, H, W, C) -> (d²·N, ⌈H/d⌉, ⌈W/d⌉, C)."""
    n, h, w, c = x.shape
    rows = torch.index_select(x.reshape(-1, c), 0, _positions(n, h, w, d)[0])
    y = rows.view(d, d, n, -(-h // d), -(-w // d), c)
    if h % d:
        y[h % d :, :, :, -1] = 0
    if w % d:
        y[:, w % d :, :, :, -1] = 0
    return y.flatten(0, 2)


def gather_back(y: Tensor, d: int, shape: torch.Size) -> Tensor:
    """Its inverse, (d²·N, H', W', C) -> (N, H, W, C) of ``shape``."""
    n, h, w, c = shape
    return torch.index_select(y.reshape(-1, c), 0, _positions(n, h, w, d)[1]).view(shape)


@lru_cache(maxsize=64)
def _positions(n: int, h: int, w: int, d: int) -> tuple[Tensor, Tensor]:
    """Where each position of the planes comes from (0 beyond the sides), and of the image."""
    numbers = torch.arange(n * h * w, device="cpu").view(n, 1, h, w)
    planes = regroup(numbers, d)
    of_planes = torch.arange(planes.numel(), device="cpu").view_as(planes)
    return planes.flatten(), ungroup(of_planes, d, numbers.shape).flatten()


class PackedBlock(nn.Module):
    """A ``ResidualBlock`` whose norms are folded, (N, H, W, C) -> (N, H, W, C) in float32.

    It writes over its input.
    """

    scale: Tensor

    def __init__(self, block: Any, side: int, dtype: torch.dtype):
        super().__init__()
        assert isinstance(block, ResidualBlock), "needs folded layer scales"
        assert isinstance(block.norm1, nn.Identity)
        assert isinstance(block.norm2, nn.Identity)
        pointwise = partial(PackedPointwise, positions=IMAGES * side**2, dtype=dtype)
        depthwise = partial(PackedConvolution, side=side, dtype=dtype)
        attention: Any = block.attention
        lka = attention.lka
        self.dtype = dtype
        self.proj_in, self.proj_out = pointwise(attention.proj_in), pointwise(attention.proj_out)
        self.depthwise, self.pointwise = depthwise(lka.depthwise), pointwise(lka.pointwise)
        self.dilated = (
            PackedRegrouped(lka.depthwise_dilated, side, dtype)
            if isinstance(lka.depthwise_dilated, RegroupedConvolution)
            else depthwise(lka.depthwise_dilated)
        )
        self.register_buffer("scale", 1 + attention.scale)
        parts: Any = block.mlp.parts if isinstance(block.mlp, SplitMlp) else [block.mlp]
        self.parts: Any = nn.ModuleList(
            nn.ModuleList([pointwise(part.fc1), depthwise(part.depthwise), pointwise(part.fc2)])
            for part in parts
        )

    def forward(self, x: Tensor) -> Tensor:
        u = self.proj_in.gelu(x.to(self.dtype))
        u = self.pointwise.times(self.dilated(self.depthwise(u)), u)
        x = self.proj_out.add_to(x.mul_(self.scale), u)
        y = x.to(self.dtype)
        if y.dtype == x.dtype:
            return self._mlp(y, x)
        return x.add_(self._mlp(y, None))

    def _mlp(self, y: Tensor, total: Tensor | None) -> Tensor:
        """mlp(y), added to ``total`` if there is one."""
        for fc1, depthwise, fc2 in self.parts:
            hidden = depthwise.gelu(fc1(y))
            total = fc2(hidden) if total is None else fc2.add_to(total, hidden)
        assert total is not None
        return total


class PackedStage(nn.Module):
    """A ``Stage``, (N, C_in, H, W) -> (N, C, H', W') in float32, channels-last.

    At most ``at_once`` images go through it together; 0: all.
    """

    def __init__(self, stage: Any, side: int, stride: int, dtype: torch.dtype, at_once: int):
        super().__init__()
        self.dtype, self.at_once = dtype, at_once
        self.patch_embed = PackedConvolution(stage.patch_embed.conv, stride * side, dtype)
        self.blocks = nn.Sequential(*(PackedBlock(block, side, dtype) for block in stage.blocks))
        self.norm = stage.norm

    def forward(self, x: Tensor) -> Tensor:
        pieces = torch.split(x, self.at_once or len(x))
        if len(pieces) > 1:
            return torch.cat([self(piece) for piece in pieces])
        x = x.to(self.dtype).permute(0, 2, 3, 1).contiguous()
        x = self.blocks(self.patch_embed(x).float())
        return self.norm(x).permute(0, 3, 1, 2)


def pack_stages(
    model: VAN, dtype: torch.dtype | None = torch.float32, at_once: Sequence[int] = (0,) * 4
) -> None:
    """Run each stage on oneDNN's own kernels in ``dtype``, where ``can_pack``; None does nothing.

    ``at_once`` is how many images go through each stage together, 0 for all of them. Needs folded
    norms and layer scales.
    """
    if dtype is None or not can_pack(next(model.parameters())):
        return
    for i, (stage, side) in enumerate(zip(model.stages, TYPICAL_SIDES, strict=True)):
        assert isinstance(stage, Stage)
        model.stages[i] = PackedStage(stage, side, 4 if i == 0 else 2, dtype, at_once[i])
