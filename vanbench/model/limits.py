"""How large a network may be that a zoo or an option names, without torch.

The numbers of a zoo file cost nothing to write, and counting with fvcore is a forward pass of the
whole network. The shapes in a checkpoint cost little more: a tensor may repeat one stored number.
"""

from vanbench.model.architecture import Architecture
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture

DIM, DEPTH, RATIO, SIDE, CLASSES = 4096, 256, 64, 4096, 100_000
"""The largest width, number of blocks of a stage, MLP ratio, input side and number of classes."""

BLOCKS = 256  # of all stages; VAN-B6 has 108
PARAMS = 1_000_000_000  # 4 GB of weights; VAN-B6 has 0.2 billion
FLOPS = 1_000_000_000_000  # for one image: half a minute on two cores; VAN-B6 at 224 has 4 %
TORCHVISION_SIDE = 1024  # of the input of a torchvision model; the published ones have up to 600
FEATURES = 100_000_000  # elements of the largest tensor between two layers; four are in memory


def out_of_range(architecture: Architecture) -> str | None:
    """Which number of an architecture is too large, whatever the others are; None if none is."""
    a = architecture
    found = {
        "a width": (max(a.embed_dims), DIM),
        "a depth": (max(a.depths), DEPTH),
        "an MLP ratio": (max(a.mlp_ratios), RATIO),
        "a number of classes": (a.num_classes, CLASSES),
    }
    for name, (number, limit) in found.items():
        if number > limit:
            return f"{name} of {number:,}, and the limit is {limit:,}"
    return None


def excess(architecture: AnyArchitecture, side: int) -> str | None:
    """Why the network is too large for an input of ``side`` × ``side``; None if it is not."""
    if isinstance(architecture, TorchvisionArchitecture):
        found = max(side, architecture.image_size or 0)
        if found <= TORCHVISION_SIDE:
            return None
        return f"a side of {found:,}, and a torchvision model has at most {TORCHVISION_SIDE:,}"
    blocks, (params, _) = sum(architecture.depths), expected_params(architecture)
    if blocks > BLOCKS:
        return f"{blocks:,} blocks, and the limit is {BLOCKS:,}"
    if params > PARAMS:
        return f"{params:,} parameters, and the limit is {PARAMS:,}"
    features = _largest_features(architecture, side)
    if features > FEATURES:
        return f"{features:,} features at once at {side}×{side}, and the limit is {FEATURES:,}"
    flops = expected_flops(architecture, side)["openmmlab"]
    if flops > FLOPS:
        return f"{flops:,} FLOPs at {side}×{side}, and the limit is {FLOPS:,}"
    return None


def _largest_features(architecture: Architecture, side: int) -> int:
    """The hidden features of the MLP of the stage where there are most of them."""
    stages = zip(architecture.embed_dims, architecture.mlp_ratios, (4, 8, 16, 32), strict=True)
    return max(dim * ratio * (-(-side // stride)) ** 2 for dim, ratio, stride in stages)
