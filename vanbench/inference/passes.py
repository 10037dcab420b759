"""The steps of the exact inference rewrite: each replaces parts of a VAN by cheaper equal ones.

A step changes the model it is given, in place, and keeps its logits; ``optimized`` applies them
in order to a copy. In inference a BatchNorm is affine per channel, BN(x) = a·x + b with
a = γ / √(var + ε) and b = β − a·mean, so it folds into a 1×1 convolution on either side. It does
not fold forward through a convolution that pads with zeros: the padding would have to be −b/a.

Shapes: N images, C channels, H × W positions of a feature map.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanbench.inference.fused_conv import PlainConvolution, can_use_triton
from vanbench.inference.rewrite_config import PART_BYTES
from vanbench.model.van import VAN, Attention, Block, LargeKernelAttention, PatchEmbed, Stage

TYPICAL_SIDES = (56, 28, 14, 7)  # of the feature maps of a 224×224 image


def fold_patch_embed(model: VAN) -> None:
    """Fold the BatchNorm of each patch embedding into the convolution before it."""
    for embed in _find(model, PatchEmbed):
        scale, shift = affine(embed.norm)
        embed.conv.weight.mul_(scale[:, None, None, None])
        embed.conv.bias.mul_(scale).add_(shift)
        embed.norm = nn.Identity()


class AffineAttention(nn.Module):
    """Attention whose shortcut is scaled: proj_out(lka(GELU(proj_in(y)))) + scale · y."""

    scale: Tensor

    def __init__(self, attention: Attention, scale: Tensor):
        super().__init__()
        self.proj_in, self.lka = attention.proj_in, attention.lka
        self.proj_out = attention.proj_out
        self.register_buffer("scale", scale.clone())

    def forward(self, y: Tensor) -> Tensor:
        return self.proj_out(self.lka(F.gelu(self.proj_in(y)))) + self.scale[:, None, None] * y


def fold_norm1(model: VAN) -> None:
    """Fold each block's first BatchNorm into ``proj_in`` and into the attention's shortcut."""
    for block in _find(model, Block):
        scale, shift = affine(block.norm1)
        block.attention = AffineAttention(block.attention, scale)
        block.attention.proj_out.bias.add_(shift)
        _fold_into_input(block.attention.proj_in, scale, shift)
        block.norm1 = nn.Identity()


def fold_norm2(model: VAN) -> None:
    """Fold each block's second BatchNorm into ``fc1``."""
    for block in _find(model, Block):
        _fold_into_input(block.mlp.fc1, *affine(block.norm2))
        block.norm2 = nn.Identity()


class ResidualBlock(nn.Module):
    """A block without layer scales: they are part of its branches."""

    def __init__(self, norm1: nn.Module, attention: nn.Module, norm2: nn.Module, mlp: nn.Module):
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = norm1, attention, norm2, mlp

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # (N, C, H, W)


def fold_layer_scales(model: VAN) -> None:
    """Fold both layer scales of each block into the 1×1 convolutions that end its branches."""
    for stage in _stages(model):
        for i, block in enumerate(stage.blocks):
            attention = block.attention
            if isinstance(attention, Attention):
                attention = AffineAttention(attention, torch.ones_like(block.layer_scale1))
            attention.scale.mul_(block.layer_scale1)
            _scale_output(attention.proj_out, block.layer_scale1)
            _scale_output(block.mlp.fc2, block.layer_scale2)
            stage.blocks[i] = ResidualBlock(block.norm1, attention, block.norm2, block.mlp)


class RegroupedConvolution(nn.Module):
    """A dilated "same" convolution of stride 1 as an undilated one over interleaved sub-planes.

    With dilation d, the positions (d·i + a, d·j + b) of each a, b < d are a plane that does not
    depend on the others. The d² planes become images: (N, C, H, W) -> (d²·N, C, ⌈H/d⌉, ⌈W/d⌉), the
    sides filled up with the zeros that the padding would have supplied.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.dilation = conv.dilation[0]
        dim, kernel = conv.in_channels, conv.kernel_size[0]
        assert conv.groups == dim, "depth-wise convolutions only"
        assert conv.padding[0] == kernel // 2 * self.dilation, "same-size convolutions only"
        with torch.device("meta"):  # its weights are replaced: use no random numbers
            undilated = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        undilated.weight, undilated.bias = conv.weight, conv.bias
        self.conv: Any = undilated

    def forward(self, x: Tensor) -> Tensor:
        return ungroup(self.conv(regroup(x, self.dilation)), self.dilation, x.shape)


def regroup(x: Tensor, d: int) -> Tensor:
    """(N, C, H, W) -> (d²·N, C, ⌈H/d⌉, ⌈W/d⌉), channels-last: sub-plane (a, b) of each image."""
    n, c, h, w = x.shape
    y = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, -w % d, 0, -h % d))  # (N, d·H', d·W', C)
    y = y.view(n, -(-h // d), d, -(-w // d), d, c).permute(2, 4, 0, 1, 3, 5)
    return y.reshape(d * d * n, *y.shape[3:]).permute(0, 3, 1, 2)


def ungroup(y: Tensor, d: int, shape: torch.Size) -> Tensor:
    """The inverse of ``regroup``: (d²·N, C, H', W') -> (N, C, H, W) of ``shape``, channels-last."""
    n, c, h, w = shape
    x = y.permute(0, 2, 3, 1).reshape(d, d, n, *y.shape[2:], c).permute(2, 3, 0, 4, 1, 5)
    x = x.reshape(n, d * y.shape[2], d * y.shape[3], c)[:, :h, :w]  # (N, H, W, C)
    return x.contiguous().permute(0, 3, 1, 2)


def regroup_dilated(model: VAN, stages: tuple[bool, ...] = (True,) * 4) -> None:
    """Run the dilated convolutions of the chosen stages undilated, on regrouped planes."""
    for stage, chosen in zip(_stages(model), stages, strict=True):
        for lka in _find(stage, LargeKernelAttention) if chosen else []:
            lka.depthwise_dilated = RegroupedConvolution(lka.depthwise_dilated)


class MlpPart(nn.Module):
    """What some of an MLP's hidden channels add to its output: they never meet before ``fc2``."""

    def __init__(self, mlp: Any, channels: slice, bias: bool):
        super().__init__()
        hidden, dim = mlp.fc1.weight[channels].shape[:2]
        kernel = mlp.depthwise.kernel_size[0]
        with torch.device("meta"):  # its weights are replaced: use no random numbers
            self.fc1: Any = nn.Conv2d(dim, hidden, 1)
            self.depthwise: Any = nn.Conv2d(
                hidden, hidden, kernel, padding=kernel // 2, groups=hidden
            )
            self.fc2: Any = nn.Conv2d(hidden, dim, 1, bias=bias)
        for part, full in ((self.fc1, mlp.fc1), (self.depthwise, mlp.depthwise)):
            part.weight = _constant(full.weight[channels])
            part.bias = _constant(full.bias[channels])
        self.fc2.weight = _constant(mlp.fc2.weight[:, channels])
        if bias:  # once in the sum
            self.fc2.bias = _constant(mlp.fc2.bias)

    def forward(self, y: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W), one term of the MLP's sum."""
        return self.fc2(F.gelu(self.depthwise(self.fc1(y))))


class SplitMlp(nn.Module):
    """An MLP as the sum of parts with ``channels`` hidden channels each."""

    def __init__(self, mlp: Any, channels: int):
        super().__init__()
        starts = range(0, mlp.fc1.out_channels, channels)
        self.parts = nn.ModuleList(MlpPart(mlp, slice(i, i + channels), i == 0) for i in starts)

    def forward(self, y: Tensor) -> Tensor:
        return torch.stack([part(y) for part in self.parts]).sum(0)


def split_mlp(model: VAN, part_bytes: int = PART_BYTES, least_channels: int = 64) -> None:
    """Halve each MLP until a part's hidden features of one image take at most ``part_bytes``.

    The size is that of float32 features of a 224×224 image; no part gets fewer than
    ``least_channels``. 0 bytes do not split. Comes after the folds, which need the MLP unsplit.
    """
    for stage, side in zip(_stages(model), TYPICAL_SIDES, strict=True):
        for block in stage.blocks if part_bytes else []:
            hidden = channels = block.mlp.fc1.out_channels
            while (
                4 * channels * side**2 > part_bytes
                and channels % 2 == 0
                and channels // 2 >= least_channels
            ):
                channels //= 2
            if channels < hidden:
                block.mlp = SplitMlp(block.mlp, channels)


class ChannelsLast(nn.Module):
    """The input with the channels of each position side by side in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def channels_last(model: VAN) -> None:
    """Keep weights and feature maps channels-last: fastest for stage norms and 1×1 convolutions."""
    for conv in _find(model, nn.Conv2d):
        conv.weight = _frozen(conv.weight.to(memory_format=torch.channels_last))
    for embed in _find(model, PatchEmbed)[:1]:
        embed.conv = nn.Sequential(ChannelsLast(), embed.conv)


def depthwise_in_triton(model: VAN, chosen: bool = False) -> None:
    """Run each depth-wise convolution in one kernel of Triton, where ``can_use_triton``.

    Comes after the steps that change convolutions.
    """
    if not (chosen and can_use_triton(next(model.parameters()).device)):
        return
    from vanbench.inference.triton_conv import TritonConvolution  # imports Triton

    for parent in list(model.modules()):
        for name, conv in parent.named_children():
            if isinstance(conv, nn.Conv2d) and conv.groups > 1:
                setattr(parent, name, TritonConvolution(conv))


class FusedMlp(nn.Module):
    """An MLP, or a part of one, that adds its output to a total."""

    def __init__(self, mlp: Any):
        super().__init__()
        self.fc1, self.depthwise, self.fc2 = map(_fused, (mlp.fc1, mlp.depthwise, mlp.fc2))

    def add_to(self, total: Tensor, y: Tensor) -> Tensor:
        """total + mlp(y), written over ``total``, which may be ``y``."""
        return self.fc2.add_to(total, self.depthwise.gelu(self.fc1(y)))


class FusedBlock(nn.Module):
    """A ResidualBlock whose convolutions also do the element-wise operation after them."""

    scale: Tensor

    def __init__(self, block: Any):
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        attention, lka = block.attention, block.attention.lka
        self.proj_in, self.proj_out = _fused(attention.proj_in), _fused(attention.proj_out)
        self.depthwise, self.pointwise = _fused(lka.depthwise), _fused(lka.pointwise)
        self.depthwise_dilated = lka.depthwise_dilated
        if isinstance(self.depthwise_dilated, RegroupedConvolution):
            self.depthwise_dilated.conv = _fused(self.depthwise_dilated.conv)
        else:
            self.depthwise_dilated = _fused(self.depthwise_dilated)
        self.register_buffer("scale", attention.scale[:, None, None])
        parts = block.mlp.parts if isinstance(block.mlp, SplitMlp) else [block.mlp]
        self.mlps: Any = nn.ModuleList(FusedMlp(part) for part in parts)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        u = self.proj_in.gelu(y)
        u = self.pointwise.times(self.depthwise_dilated(self.depthwise(u)), u)
        x = self.proj_out.add_to(torch.addcmul(x, self.scale, y), u)
        y = self.norm2(x)
        total = x if len(self.mlps) == 1 else x.clone()  # y may be x, and later parts read it
        for mlp in self.mlps:
            total = mlp.add_to(total, y)
        return total  # (N, C, H, W)


def fuse_operators(model: VAN) -> None:
    """Let the convolutions of the blocks do the operations after them; needs folded layer scales.

    Packed stages do so already.
    """
    for stage in _stages(model):
        for i, block in enumerate(stage.blocks):
            stage.blocks[i] = FusedBlock(block)


def _fused(conv: nn.Module) -> Any:
    """Triton's convolutions fuse by themselves."""
    return PlainConvolution(conv) if isinstance(conv, nn.Conv2d) else conv


def affine(norm: Any) -> tuple[Tensor, Tensor]:
    """Scale and shift (C,) of a BatchNorm in inference."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _fold_into_input(conv: Any, scale: Tensor, shift: Tensor) -> None:
    """Make conv(y) out of conv(scale·y + shift), for a 1×1 convolution."""
    conv.bias.add_(conv.weight.flatten(1) @ shift)
    conv.weight.mul_(scale[None, :, None, None])


def _scale_output(conv: Any, scale: Tensor) -> None:
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias.mul_(scale)


def _constant(weight: Tensor) -> nn.Parameter:
    return _frozen(weight.clone())


def _frozen(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight, requires_grad=False)


def _find(model: nn.Module, kind: type) -> list[Any]:
    """Modules of a kind; Any, because a step replaces parts by others with the same interface."""
    return [module for module in model.modules() if isinstance(module, kind)]


def _stages(model: VAN) -> list[Any]:
    return _find(model, Stage)
