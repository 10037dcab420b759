"""How fast a VAN could be here: the machine's rate of point-wise convolutions, measured.

Most multiply–adds of a VAN are in 1×1 convolutions, which are matrix products. If everything else
of the network ran at their rate, it would reach the ceiling.

Shapes: N images, C channels, H × W positions of a feature map.
"""

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from vanbench.devices import synchronize
from vanbench.inference.packed import PackedPointwise, can_pack
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_normal

BATCHES = (2, 4, 16)  # the fastest counts
GPU_BATCHES = (64, 256)
REPEATS = 5


@dataclass(frozen=True)
class Pointwise:
    """``times`` 1×1 convolutions of one shape on feature maps of side × side."""

    in_dim: int
    dim: int
    side: int
    times: int

    @property
    def macs(self) -> int:
        """Multiply–adds for one image, of all of them."""
        return self.times * self.in_dim * self.dim * self.side**2


@dataclass(frozen=True)
class Ceiling:
    """The rate of the point-wise convolutions of a network, alone, and what it would allow."""

    gmacs_per_s: float
    images_per_s: float


def pointwise(architecture: Architecture, resolution: int) -> list[Pointwise]:
    """The 1×1 convolutions of a VAN for one image of resolution × resolution, by shape."""
    shapes = []
    numbers = zip(architecture.depths, architecture.mlp_ratios, strict=True)
    stages = zip(architecture.embed_dims, _sides(resolution), numbers, strict=True)
    for dim, side, (depth, ratio) in stages:
        shapes += [
            Pointwise(dim, dim, side, 3 * depth),
            Pointwise(dim, dim * ratio, side, depth),
            Pointwise(dim * ratio, dim, side, depth),
        ]
    return shapes


def multiply_adds(architecture: Architecture, resolution: int) -> int:
    """Multiply–adds of a VAN for one image: its convolutions and its head."""
    a = architecture
    total = sum(shape.macs for shape in pointwise(a, resolution))
    in_dims = (3, *a.embed_dims[:-1])
    for i, side in enumerate(_sides(resolution)):
        depthwise = a.embed_dims[i] * (5**2 + 7**2 + 3**2 * a.mlp_ratios[i])
        embed = in_dims[i] * a.embed_dims[i] * (7 if i == 0 else 3) ** 2
        total += side**2 * (embed + a.depths[i] * depthwise)
    return total + a.embed_dims[-1] * a.num_classes


def _sides(resolution: int) -> list[int]:
    """Sides of the feature maps of the four stages."""
    return [-(-resolution // stride) for stride in (4, 8, 16, 32)]


def measure_ceiling(architecture: Architecture, resolution: int, device: torch.device) -> Ceiling:
    """Time each 1×1 convolution of the network alone, in its fastest variant."""
    shapes = pointwise(architecture, resolution)
    seconds = sum(shape.times * _seconds_per_image(shape, device) for shape in shapes)
    rate = sum(shape.macs for shape in shapes) / seconds
    return Ceiling(rate / 1e9, rate / multiply_adds(architecture, resolution))


def _seconds_per_image(shape: Pointwise, device: torch.device) -> float:
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):  # its weights are replaced: use no random numbers
        conv = nn.Conv2d(shape.in_dim, shape.dim, 1)
    for name, like in conv.named_parameters():
        values = random_normal(*like.shape, generator=generator).to(device)
        setattr(conv, name, nn.Parameter(values, requires_grad=False))
    packed = PackedPointwise(conv, 4 * shape.side**2) if can_pack(conv.weight) else None
    fastest = []
    for batch in BATCHES if device.type == "cpu" else GPU_BATCHES:
        x = random_normal(batch, shape.in_dim, shape.side, shape.side, generator=generator)
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        fastest.append(_shortest(conv, x) / batch)
        if packed is not None:
            fastest.append(_shortest(packed, x.permute(0, 2, 3, 1)) / batch)
    return min(fastest)


def _shortest(variant: nn.Module, x: Tensor) -> float:
    """The least of a few durations: what the machine can do when nothing disturbs it."""
    durations = []
    for _ in range(REPEATS):
        start = perf_counter()
        variant(x)
        synchronize(x.device)
        durations.append(perf_counter() - start)
    return min(durations)
