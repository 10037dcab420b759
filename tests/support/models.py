"""Small VANs with weights that look trained: nothing is at its initial value."""

import torch

from vanbench.model.architecture import Architecture
from vanbench.model.build import build
from vanbench.model.van import VAN

TINY = Architecture((8, 12, 16, 20), (1, 2, 1, 1), (2, 3, 2, 2), 10)


def randomized(
    architecture: Architecture = TINY, seed: int = 0, layer_norm_eps: float = 1e-5
) -> VAN:
    """A model in eval mode whose every weight, scale, bias and statistic is drawn from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    model = build(architecture, layer_norm_eps).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith("running_var") or "layer_scale" in name or "norm" in name:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        else:
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 4
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan_in**0.5)
    return model.requires_grad_(False)
