"""What a model of torchvision computes for one image: units of each operation, part by part.

The model runs on the meta device, where a tensor is its shape: counting takes a fraction of a
second, whatever the size of the network. The units are those of ``conventions.TORCHVISION_UNITS``.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_MATRIX_PRODUCTS = (_aten.mm.default, _aten.addmm.default, _aten.bmm.default)

Units = dict[str, Counter[str]]
OTHER = "outside the parts"
"""What the model's own ``forward`` does between its parts."""


def count_torchvision_units(model: nn.Module, resolution: int) -> Units:
    """The units by part (a direct child of the model), for an image on the meta device."""
    counting = _Counting([*dict(model.named_children()), OTHER])
    handles = [
        handle
        for name, child in model.named_children()
        for handle in (
            child.register_forward_pre_hook(lambda *_, name=name: counting.enter(name)),
            child.register_forward_hook(lambda *_: counting.enter(OTHER)),
        )
    ]
    image = torch.empty(1, 3, resolution, resolution, device="meta", dtype=torch.float32)
    try:
        with torch.no_grad(), _Calls(counting), _Operators(counting):
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    return counting.units


class _Counting:
    """Units so far; ``part`` is the part that computes now."""

    def __init__(self, parts: list[str]):
        self.units: Units = {part: Counter() for part in parts}
        self.part = OTHER
        self.in_attention = False

    def enter(self, part: str) -> None:
        self.part = part

    def add(self, operation: str, count: int) -> None:
        self.units[self.part][operation] += count


class _Calls(TorchFunctionMode):
    """Counts what can be recognised before torch divides it into operators."""

    def __init__(self, counting: _Counting):
        super().__init__()
        self.counting = counting

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.adaptive_avg_pool2d:
            self.counting.add("pool", args[0].numel())
        if func is not functional.multi_head_attention_forward:
            return func(*args, **kwargs)
        self.counting.in_attention = True
        try:
            return func(*args, **kwargs)
        finally:
            self.counting.in_attention = False


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators that the forward pass comes down to."""

    def __init__(self, counting: _Counting):
        super().__init__()  # type: ignore[no-untyped-call]
        self.counting = counting

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is _aten.convolution.default:
            self.counting.add("conv", result.numel() * args[1][0].numel())
        elif func in _MATRIX_PRODUCTS:
            first, second = args[-2:]
            attention = self.counting.in_attention and func is _aten.bmm.default
            multiply_adds = first.numel() * second.shape[-1]
            self.counting.add("attention" if attention else "matmul", multiply_adds)
        elif func is _aten.native_batch_norm.default:
            self.counting.add("batch_norm", args[0].numel())
        elif func is _aten.native_layer_norm.default:
            self.counting.add("layer_norm", args[0].numel())
        return result
