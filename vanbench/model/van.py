"""Visual Attention Network, the reference model, to be read top to bottom.

Paper: Guo et al., arXiv 2202.09741. Plain and unoptimised on purpose: the faster variants are
tested against this file.

Shapes: N images, C channels, H × W positions of a feature map.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LargeKernelAttention(nn.Module):
    """A 21×21 receptive field from three small convolutions, used as a gate on its own input."""

    def __init__(self, dim: int):
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.depthwise_dilated = nn.Conv2d(dim, dim, 7, padding=9, dilation=3, groups=dim)
        self.pointwise = nn.Conv2d(dim, dim, 1)

    def forward(self, u: Tensor) -> Tensor:
        return u * self.pointwise(self.depthwise_dilated(self.depthwise(u)))  # (N, C, H, W)


class Attention(nn.Module):
    """Projection, GELU, large kernel attention, projection; the shortcut is the input itself."""

    def __init__(self, dim: int):
        super().__init__()
        self.proj_in = nn.Conv2d(dim, dim, 1)
        self.lka = LargeKernelAttention(dim)
        self.proj_out = nn.Conv2d(dim, dim, 1)

    def forward(self, y: Tensor) -> Tensor:
        return self.proj_out(self.lka(F.gelu(self.proj_in(y)))) + y  # (N, C, H, W)


class Mlp(nn.Module):
    """Expand, mix neighbours depth-wise, GELU, contract."""

    def __init__(self, dim: int, ratio: int):
        super().__init__()
        self.fc1 = nn.Conv2d(dim, dim * ratio, 1)
        self.depthwise = nn.Conv2d(dim * ratio, dim * ratio, 3, padding=1, groups=dim * ratio)
        self.fc2 = nn.Conv2d(dim * ratio, dim, 1)

    def forward(self, y: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.depthwise(self.fc1(y))))  # (N, C, H, W)


class Block(nn.Module):
    """Two residual branches, each behind a BatchNorm and a per-channel layer scale."""

    def __init__(self, dim: int, mlp_ratio: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(dim)
        self.attention = Attention(dim)
        self.layer_scale1 = nn.Parameter(torch.full((dim,), 0.01))
        self.norm2 = nn.BatchNorm2d(dim)
        self.mlp = Mlp(dim, mlp_ratio)
        self.layer_scale2 = nn.Parameter(torch.full((dim,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale1[:, None, None] * self.attention(self.norm1(x))
        return x + self.layer_scale2[:, None, None] * self.mlp(self.norm2(x))  # (N, C, H, W)


class PatchEmbed(nn.Module):
    """Overlapping patches: a strided convolution and a BatchNorm."""

    def __init__(self, in_dim: int, dim: int, patch: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(in_dim, dim, patch, stride=stride, padding=patch // 2)
        self.norm = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))  # (N, C_in, H, W) -> (N, C, ⌈H/stride⌉, ⌈W/stride⌉)


class Stage(nn.Module):
    """Patch embedding, blocks, LayerNorm over the channels of each position."""

    def __init__(self, patch_embed: PatchEmbed, blocks: Sequence[Block], norm: nn.LayerNorm):
        super().__init__()
        self.patch_embed = patch_embed
        self.blocks = nn.Sequential(*blocks)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.patch_embed(x))  # (N, C, H, W)
        x = self.norm(x.permute(0, 2, 3, 1))  # (N, H, W, C)
        return x.permute(0, 3, 1, 2)  # (N, C, H, W)


class VAN(nn.Module):
    """Four stages, global average pooling, one linear layer.

    ``forward`` maps (N, 3, H, W) with sides of at least 32 to logits (N, num_classes), or, with
    ``num_classes`` 0, to the pooled features (N, embed_dims[3]). The LayerNorm epsilon is 1e-5
    in OpenMMLab's code and 1e-6 in the authors'; no checkpoint stores it.
    """

    def __init__(
        self,
        embed_dims: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[int] = (8, 8, 4, 4),
        num_classes: int = 1000,
        layer_norm_eps: float = 1e-5,
    ):
        super().__init__()
        in_dims = (3, *embed_dims[:-1])
        self.stages = nn.Sequential()
        for i, (in_dim, dim) in enumerate(zip(in_dims, embed_dims, strict=True)):
            patch, stride = (7, 4) if i == 0 else (3, 2)
            blocks = [Block(dim, mlp_ratios[i]) for _ in range(depths[i])]
            embed = PatchEmbed(in_dim, dim, patch, stride)
            self.stages.append(Stage(embed, blocks, nn.LayerNorm(dim, eps=layer_norm_eps)))
        self.head = nn.Linear(embed_dims[-1], num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """The pooled features (N, embed_dims[3])."""
        if min(x.shape[-2:]) < 32:
            raise ValueError(f"VAN needs images of at least 32×32, got {tuple(x.shape)}")
        return self.stages(x).mean(dim=(2, 3))  # (N, C, H, W) -> (N, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.forward_features(x))


def initialize(model: VAN) -> VAN:
    """Fill the weights as the authors' code does before training, and return the model.

    He normal by fan-out for convolutions, truncated normal (0.02) for the head, zero biases; norms
    and layer scales keep their constants. Source: VAN-Classification, models/van.py.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2 // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return model
