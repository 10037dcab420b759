"""Models from numbers: build one, fill it with random weights, read the numbers of one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from vanbench.errors import CheckpointError
from vanbench.model.architecture import (
    Architecture,
    described_architecture,
    find_architecture,
)
from vanbench.model.limits import excess, out_of_range
from vanbench.model.van import VAN, initialize
from vanbench.outside.safe_text import shorten


def create_model(
    name: str | None = None,
    num_classes: int | None = None,
    *,
    architecture: Architecture | Mapping[str, Any] | None = None,
    layer_norm_eps: float = 1e-5,
) -> VAN:
    """A VAN with random weights, in training mode, on torch's default device.

    Args:
        name: A published architecture, ``van_b0`` to ``van_b6``. Case and ``-``/``_`` do not
            matter; the older names ``van_tiny`` (B0) to ``van_large`` (B3) work.
        num_classes: The width of the classification head. The default is that of the
            architecture, which is 1000 for a published one. With 0 there is no head, and the model
            returns the pooled features.
        architecture: One of your own in place of a name: an ``Architecture``, or a mapping as in a
            zoo file with ``embed_dims``, ``depths``, and perhaps ``mlp_ratios`` and
            ``num_classes``.
        layer_norm_eps: The epsilon of the LayerNorms: 1e-5 in OpenMMLab's code, 1e-6 in the
            authors'.

    Returns:
        The reference module. It maps float32 (N, 3, H, W), sides of at least 32 pixels, to logits
        (N, num_classes). Its weights are random as in the authors' code; ``torch.manual_seed``
        decides them.

    Raises:
        UnknownModelError: No published architecture has this name.
        ValueError: The architecture is incomplete or too large, or both or neither of ``name`` and
            ``architecture`` are given.

    >>> model = vanbench.create_model("VAN-B0", num_classes=10)
    >>> numbers = {"embed_dims": [16, 32, 48, 64], "depths": [2, 2, 4, 2]}
    >>> own = vanbench.create_model(architecture=numbers)
    """
    if (name is None) == (architecture is None):
        raise ValueError("expected a name or an architecture, and not both")
    numbers = _numbers(architecture) if name is None else asdict(find_architecture(name))
    if num_classes is not None:
        numbers["num_classes"] = num_classes
    found = described_architecture(numbers)
    if why := out_of_range(found) or excess(found, side=32):
        raise ValueError(f"the network is too large: {why}")
    return initialize(build(found, layer_norm_eps))


def _numbers(architecture: object) -> dict[str, Any]:
    if isinstance(architecture, Architecture):
        return asdict(architecture)
    if isinstance(architecture, Mapping):
        return dict(architecture)
    raise TypeError(
        f"expected an Architecture or a mapping of its numbers, found {shorten(architecture)}"
    )


def build(architecture: Architecture, layer_norm_eps: float = 1e-5) -> VAN:
    """The reference VAN of ``architecture``, weights as torch's constructors leave them."""
    a = architecture
    return VAN(a.embed_dims, a.depths, a.mlp_ratios, a.num_classes, layer_norm_eps)


def build_uninitialized(architecture: Architecture, layer_norm_eps: float = 1e-5) -> VAN:
    """The same on the meta device: shapes without weights; no random numbers are used."""
    with torch.device("meta"):
        return build(architecture, layer_norm_eps)


def random_weights(architecture: Architecture, seed: int = 0) -> VAN:
    """A VAN in eval mode whose weights, scales and statistics are all random, from ``seed``.

    The layer scales are as small as at the start of training (0.01): the gate squares its input, so
    with larger ones the logits of a deep network overflow. torch's global random generator
    is left alone, and its default type and device have no effect: the weights are float32 on the
    CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    meta = build_uninitialized(architecture).float()
    model = meta.to_empty(device="cpu").eval().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
            tensor.copy_(_uniform(*tensor.shape, generator=generator) + 0.5)
        elif "layer_scale" in name:
            tensor.copy_(0.02 * _uniform(*tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 100
            tensor.copy_(random_normal(*tensor.shape, generator=generator) / fan_in**0.5)
        else:
            tensor.zero_()  # num_batches_tracked
    return model


def random_normal(*shape: int, generator: torch.Generator) -> Tensor:
    """Normal random numbers in float32 on the CPU, whatever torch's defaults are."""
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")


def _uniform(*shape: int, generator: torch.Generator) -> Tensor:
    """Random numbers between 0 and 1, in the same way."""
    return torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")


def architecture_of(model: VAN) -> Architecture:
    """The numbers of a model."""
    return read_architecture(model.state_dict())


def read_architecture(native: Mapping[str, Tensor]) -> Architecture:
    """The architecture that the shapes of tensors, by the reference model's names, describe.

    Where tensors of one stage disagree, the majority counts, so that strict loading names the one
    that differs. Raises CheckpointError where a stage has no tensors, and for absurd sizes.
    """
    dims, depths, ratios = [], [], []
    for stage in (f"stages.{s}." for s in range(4)):
        blocks = {key.split(".")[3] for key in native if key.startswith(stage + "blocks.")}
        dim = _common_length(native, stage, (".conv.bias", "norm.weight", "norm1.weight", "scale1"))
        hidden = _common_length(native, stage, ("mlp.fc1.bias", "mlp.depthwise.bias"))
        dims.append(dim)
        depths.append(len(blocks))
        ratios.append(max(1, hidden // dim))
    head = native.get("head.weight")
    num_classes = 0 if head is None or not head.ndim else head.shape[0]
    found = Architecture(tuple(dims), tuple(depths), tuple(ratios), num_classes)
    if why := out_of_range(found) or excess(found, side=32):
        raise CheckpointError(f"the network is too large for a VAN: {why}")
    return found


def _common_length(native: Mapping[str, Tensor], stage: str, endings: tuple[str, ...]) -> int:
    """The most common length of the one-dimensional tensors of a stage with these endings."""
    lengths = Counter(
        tensor.shape[0]
        for key, tensor in native.items()
        if key.startswith(stage) and key.endswith(endings) and tensor.ndim == 1
    )
    if not lengths:
        raise CheckpointError(
            f"expected the four stages of a VAN, found no tensors of {stage}*",
            remedy="The file may be incomplete; use one with the whole network.",
        )
    return lengths.most_common(1)[0][0] or 1
