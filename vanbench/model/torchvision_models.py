"""Models of torchvision: built with random weights, or as shapes without weights.

torchvision is imported when the first model is built.
"""

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from vanbench.model.torchvision_architecture import TorchvisionArchitecture

_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
_FACTORIES = (torch.empty, torch.zeros, torch.ones)


class _OnMeta(TorchFunctionMode):
    """Parameters are made on the meta device, where they take no memory.

    torch.device("meta") does not do: RegNet computes its widths with torch while it is made.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        on_meta = {"device": "meta"} if func in _FACTORIES else {}
        return func(*args, **{**(kwargs or {}), **on_meta})


def build_shapes(architecture: TorchvisionArchitecture) -> nn.Module:
    """The model on the meta device, in eval mode, with the auxiliary heads that its files have."""
    with torch.device("cpu"), _OnMeta():
        model = _build(architecture)
    return model.to("meta").eval().requires_grad_(False)


def random_torchvision(architecture: TorchvisionArchitecture, seed: int = 0) -> nn.Module:
    """The model as torchvision initialises it, in eval mode on the CPU, ready to compute."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        model = without_unused_heads(_build(architecture, init_weights=True))
    return model.float().eval().requires_grad_(False)


def without_unused_heads(model: nn.Module) -> nn.Module:
    """The model as torchvision hands it out: GoogLeNet's auxiliary heads are for training only."""
    if type(model).__name__ == "GoogLeNet":
        model.aux_logits, model.aux1, model.aux2 = False, None, None  # type: ignore[assignment]
    return model


def _build(architecture: TorchvisionArchitecture, *, init_weights: bool = False) -> nn.Module:
    from torchvision.models import get_model

    options: dict[str, Any] = {"num_classes": architecture.num_classes}
    if architecture.image_size:
        options["image_size"] = architecture.image_size
    if architecture.name in _WITH_AUXILIARY_HEADS:  # as torchvision sets them for its weights
        options |= {"aux_logits": True, "transform_input": True, "init_weights": init_weights}
    model: nn.Module = get_model(architecture.name, weights=None, **options)
    return model
