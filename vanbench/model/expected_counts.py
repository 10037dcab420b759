"""Parameters and FLOPs of an architecture in closed form, without torch: what a record must say.

``vanbench.flops`` counts a network module by module. The tests compare both.
"""

from vanbench.conventions import CONVENTIONS
from vanbench.model.architecture import Architecture


def expected_params(architecture: Architecture) -> tuple[int, int]:
    """The parameters with the classification head, and without it."""
    inputs, total = 3, 0
    for stage, (dim, depth, ratio) in enumerate(_stages(architecture)):
        kernel, _ = _patch(stage)
        hidden = ratio * dim
        patch_embed = (kernel * kernel * inputs + 1) * dim + 2 * dim
        attention = 3 * (dim + 1) * dim + (25 + 1) * dim + (49 + 1) * dim
        mlp = (dim + 1) * hidden + (9 + 1) * hidden + (hidden + 1) * dim
        norms_and_scales = 2 * 2 * dim + 2 * dim
        total += patch_embed + depth * (attention + mlp + norms_and_scales) + 2 * dim
        inputs = dim
    head = (inputs + 1) * architecture.num_classes
    return total + head, total


def expected_param_kinds(architecture: Architecture) -> dict[str, int]:
    """How many numbers of each of ``conventions.PARAM_KINDS`` there are, with the head."""
    scales = sum(2 * dim * depth for dim, depth, _ in _stages(architecture))
    return {
        "weights": expected_params(architecture)[0] - scales,
        "layer_scales": scales,
        "bn_statistics": _batch_norm_channels(architecture) * 2,
    }


def _batch_norm_channels(architecture: Architecture) -> int:
    """The channels of all BatchNorms: one of each patch embedding, two of each block."""
    return sum(dim * (1 + 2 * depth) for dim, depth, _ in _stages(architecture))


def expected_flops(architecture: Architecture, resolution: int) -> dict[str, int]:
    """The total of each convention for one image of ``resolution`` × ``resolution``."""
    units = expected_units(architecture, resolution)
    return {name: convention.total(units) for name, convention in CONVENTIONS.items()}


def expected_units(architecture: Architecture, resolution: int) -> dict[str, int]:
    """How many units of each of ``conventions.OPERATIONS`` one image takes."""
    inputs, side = 3, resolution
    units = dict.fromkeys(("conv", "conv_bias", "batch_norm", "layer_norm", "gelu"), 0)
    for stage, (dim, depth, ratio) in enumerate(_stages(architecture)):
        kernel, stride = _patch(stage)
        side = -(-side // stride)  # the padding is half the kernel, so this is rounded up
        hidden = ratio * dim
        per_position = {
            "conv": kernel * kernel * inputs * dim
            + depth * (3 * dim * dim + (25 + 49) * dim + 2 * dim * hidden + 9 * hidden),
            "conv_bias": dim + depth * (6 * dim + 2 * hidden),
            "batch_norm": dim + depth * 2 * dim,
            "layer_norm": dim,
            "gelu": depth * (dim + hidden),
        }
        units = {name: n + per_position[name] * side * side for name, n in units.items()}
        inputs = dim
    classes = architecture.num_classes
    return units | {
        "pool": inputs * side * side,
        "linear": inputs * classes,
        "linear_bias": classes,
        "batch_norm_params": 2 * _batch_norm_channels(architecture),
        "layer_norm_params": 2 * sum(architecture.embed_dims),
    }


def _stages(architecture: Architecture) -> list[tuple[int, int, int]]:
    """Width, number of blocks and MLP ratio of each stage."""
    a = architecture
    return list(zip(a.embed_dims, a.depths, a.mlp_ratios, strict=True))


def _patch(stage: int) -> tuple[int, int]:
    """Kernel side and stride of a stage's patch embedding."""
    return (7, 4) if stage == 0 else (3, 2)
