"""The model of torchvision that a state dict holds, strictly: every tensor of it, and no others."""

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vanbench.checkpoints.key_names import Format
from vanbench.checkpoints.misfits import refuse_misfits
from vanbench.model.torchvision_architecture import LIBRARY, TorchvisionArchitecture
from vanbench.model.torchvision_models import build_shapes, without_unused_heads
from vanbench.outside.safe_text import for_terminal

TORCHVISION = Format(LIBRARY, 0.0, ())
"""torchvision's own names. Its models set the epsilons of their norms themselves."""

_RENAMED = (
    (re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)"), r"\1\2"),  # DenseNet
    (re.compile(r"(.*\.mlp)\.linear_1\.(.*)"), r"\1.0.\2"),  # ViT
    (re.compile(r"(.*\.mlp)\.linear_2\.(.*)"), r"\1.3.\2"),
)
"""Names in published files that torchvision has changed since."""

_COUNTER = "num_batches_tracked"
_MNASNET_VERSION = 2  # of the code that a file is from, which its loader asks for


def model_of_torchvision(
    state: Mapping[str, Tensor], architecture: TorchvisionArchitecture
) -> nn.Module:
    """The model in eval mode; CheckpointError with every tensor that does not fit."""
    model = build_shapes(architecture)
    wanted = model.state_dict()
    found = {_current_name(name): tensor for name, tensor in state.items()}
    for name, buffer in wanted.items():  # absent from old files, and never used in eval mode
        if name.endswith(_COUNTER):
            found.setdefault(name, torch.zeros_like(buffer, device="cpu"))
    refuse_misfits(
        f"not those of torchvision's {architecture.name}",
        LIBRARY,
        sorted(wanted.keys() - found.keys()),
        [for_terminal(name) for name in sorted(found.keys() - wanted.keys())],
        [
            f"{name} has {tuple(found[name].shape)} for {tuple(wanted[name].shape)}"
            for name in wanted.keys() & found.keys()
            if found[name].shape != wanted[name].shape
        ],
    )
    loaded = OrderedDict((name, found[name].to(wanted[name].dtype)) for name in wanted)
    loaded._metadata = {"": {"version": _MNASNET_VERSION}}  # type: ignore[attr-defined]
    model.load_state_dict(loaded, assign=True)
    return without_unused_heads(model).eval().requires_grad_(False)


def _current_name(name: str) -> str:
    """The name that torchvision's code has for a tensor of a file."""
    for pattern, replacement in _RENAMED:
        if match := pattern.fullmatch(name):
            return match.expand(replacement)
    return name
