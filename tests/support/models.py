"""Small VANs with weights that look trained (nothing is at its initial value), and images."""

import torch
from torch import Tensor

from vanbench.model.architecture import Architecture
from vanbench.model.build import build_uninitialized
from vanbench.model.van import VAN

TINY = Architecture((8, 12, 16, 20), (1, 2, 1, 1), (2, 3, 2, 2), 10)


def randomized(
    architecture: Architecture = TINY, seed: int = 0, layer_norm_eps: float = 1e-5
) -> VAN:
    """A model in eval mode whose weights, scales, biases and statistics are random, from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    model = build_uninitialized(architecture, layer_norm_eps).to_empty(device="cpu").eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith("running_var") or "layer_scale" in name or "norm" in name:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        else:
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 4
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan_in**0.5)
    return model.requires_grad_(False)


def images(
    size: tuple[int, int] = (64, 64), batch: int = 3, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Random images, (batch, 3, *size), the same each time."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, *size, generator=generator, dtype=dtype)


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    return float((found - expected).abs().max() / expected.abs().max())
