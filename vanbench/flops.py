"""Parameters and FLOPs under the named conventions, as exact integers for one image.

What a convention counts is in ``conventions``. fvcore's counts of a VAN are fvcore's own; the
others, and all of torchvision's models, are computed here from shapes, without any of those tools.
"""

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from vanbench.conventions import (
    CONVENTIONS,
    COUNTERS,
    OPERATIONS,
    TORCHVISION_CONVENTIONS,
    TORCHVISION_UNITS,
    Convention,
)
from vanbench.model.architecture import Architecture
from vanbench.model.build import build_uninitialized
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture
from vanbench.model.torchvision_models import build_shapes, without_unused_heads
from vanbench.model.torchvision_units import OTHER, count_torchvision_units
from vanbench.model.van import VAN, Attention, Mlp

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore compiles a helper with torch.jit
    from fvcore.nn import FlopCountAnalysis


POOL = "pool"  # the global average pooling: a part of the network that is no module
Units = dict[str, Counter[str]]
"""Part of the network → operation → units, as ``conventions.OPERATIONS`` explains them."""


@dataclass(frozen=True)
class Complexity:
    """Integer counts of one architecture at one input size.

    ``params`` is with the classification head, ``params_backbone`` without it. ``by_operator`` and
    ``by_module`` map a convention to the counts of its parts, which add up to its total;
    ``units`` has how many units of each operation there are. ``uncounted`` says how often fvcore
    met each operator that it does not count; it is empty for a model of torchvision.
    """

    architecture: AnyArchitecture
    resolution: int
    params: int
    params_backbone: int
    by_operator: dict[str, dict[str, int]]
    by_module: dict[str, dict[str, int]]
    params_by_module: dict[str, int]
    units: dict[str, int]
    uncounted: dict[str, int]

    @property
    def flops(self) -> dict[str, int]:
        """The total of each convention."""
        return {name: sum(parts.values()) for name, parts in self.by_operator.items()}


@cache
def count(architecture: AnyArchitecture, resolution: int = 224, device: str = "cpu") -> Complexity:
    """The counts at ``resolution`` × ``resolution``; weights are never initialised.

    fvcore traces a real forward pass of a VAN, so it takes about as long as one (on ``device``).
    """
    if isinstance(architecture, TorchvisionArchitecture):
        return _count_torchvision(architecture, resolution)
    return _count_van(architecture, resolution, device)


def _count_torchvision(architecture: TorchvisionArchitecture, resolution: int) -> Complexity:
    """The counts of a model of torchvision; its head is the last layer of the network."""
    model = without_unused_heads(build_shapes(architecture))
    units = count_torchvision_units(model, resolution)
    params = {name: _params(part) for name, part in model.named_children()}
    total = _params(model)
    rules = TORCHVISION_CONVENTIONS
    return Complexity(
        architecture=architecture,
        resolution=resolution,
        params=total,
        params_backbone=total - _params(_head(model)),
        by_operator={name: _by_operator(units, rule) for name, rule in rules.items()},
        by_module={name: _by_module(units, rule) for name, rule in rules.items()},
        params_by_module={**params, OTHER: total - sum(params.values())},
        units={name: _sum(units)[name] for name in TORCHVISION_UNITS},
        uncounted={},
    )


def _head(model: nn.Module) -> nn.Module:
    """The last layer with parameters: the one that gives the classes."""
    leaves = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return leaves[-1]


def _count_van(architecture: Architecture, resolution: int, device: str) -> Complexity:
    by_rules = _van_by_rules(architecture, resolution)
    model = build_uninitialized(architecture).eval().requires_grad_(False)
    image = torch.zeros(1, 3, resolution, resolution, device=device)
    analysis = _fvcore(_zeroed(model, device), image)
    by_module = _fvcore_by_module(analysis, by_rules.by_module["fvcore"])
    return replace(
        by_rules,
        by_operator=by_rules.by_operator | {"fvcore": _ints(analysis.by_operator())},
        by_module=by_rules.by_module | {"fvcore": by_module},
        uncounted={op.removeprefix("aten::"): n for op, n in analysis.unsupported_ops().items()},
    )


@cache
def count_by_rules(architecture: AnyArchitecture, resolution: int = 224) -> Complexity:
    """The counts with fvcore's figures by its rule, without fvcore: milliseconds, not a forward.

    ``uncounted`` is empty. The tests compare the rule with fvcore.
    """
    if isinstance(architecture, TorchvisionArchitecture):
        return count(architecture, resolution)
    return _van_by_rules(architecture, resolution)


def _van_by_rules(architecture: Architecture, resolution: int) -> Complexity:
    model = build_uninitialized(architecture).eval()
    params = {name: _params(part) for name, part in _parts(model)}
    units = _count_units(model, resolution)
    rules = {name: CONVENTIONS[name] for name in sorted(CONVENTIONS)}
    return Complexity(
        architecture=architecture,
        resolution=resolution,
        params=_params(model),
        params_backbone=_params(model) - params["head"],
        by_operator={name: _by_operator(units, rule) for name, rule in rules.items()},
        by_module={name: _by_module(units, rule) for name, rule in rules.items()},
        params_by_module=params,
        units={name: _sum(units)[name] for name in OPERATIONS},
        uncounted={},
    )


def count_from_shapes(
    architecture: Architecture, resolution: int = 224, convention: str = "openmmlab"
) -> tuple[int, int]:
    """Parameters with the head, and FLOPs under one of COUNTERS.

    Nothing is computed but shapes, so it takes milliseconds.
    """
    params, units = _params_and_units(architecture, resolution)
    return params, COUNTERS[convention].total(units)


@cache
def _params_and_units(architecture: Architecture, resolution: int) -> tuple[int, Counter[str]]:
    model = build_uninitialized(architecture).eval()
    return _params(model), _sum(_count_units(model, resolution))


def count_as_reported(
    architecture: AnyArchitecture, num_classes: int, resolution: int, device: str = "cpu"
) -> Complexity:
    """The counts as a report has them: with a head of ``num_classes``, whatever the file has."""
    return count(replace(architecture, num_classes=num_classes), resolution, device)


def _parts(model: VAN) -> list[tuple[str, nn.Module]]:
    """The parts that are shown: each stage's patch embedding, blocks and norm, and the head."""
    names = [f"stages.{s}.{part}" for s in range(4) for part in ("patch_embed", "blocks", "norm")]
    return [(name, model.get_submodule(name)) for name in [*names, "head"]]


def _params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _count_units(model: VAN, resolution: int) -> Units:
    """The units of each operation by part, from the shapes of a forward pass on the meta device."""
    units: Units = {name: Counter() for name, _ in _parts(model)}
    head = units.pop("head")
    handles = [
        module.register_forward_hook(
            lambda module, _, output, part=part: part.update(_units_of(module, output))
        )
        for (_, parent), part in zip(_parts(model), [*units.values(), head], strict=True)
        for module in parent.modules()
    ]
    features = model.stages(torch.empty(1, 3, resolution, resolution, device="meta"))
    units[POOL] = Counter(pool=features.numel())
    model.head(features.mean(dim=(2, 3)))
    for handle in handles:
        handle.remove()
    return {**units, "head": head}


def _units_of(module: nn.Module, output: Tensor) -> dict[str, int]:
    """How many units of each operation a module does by itself, without the modules inside it."""
    if isinstance(module, nn.Conv2d):
        per_output = module.weight[0].numel()  # kernel height × width × input channels per group
        return {"conv": per_output * output.numel(), "conv_bias": output.numel()}
    if isinstance(module, nn.Linear):
        return {"linear": module.in_features * output.numel(), "linear_bias": output.numel()}
    if isinstance(module, nn.BatchNorm2d):
        return {"batch_norm": output.numel(), "batch_norm_params": _params(module)}
    if isinstance(module, nn.LayerNorm):
        return {"layer_norm": output.numel(), "layer_norm_params": _params(module)}
    if isinstance(module, Attention):  # its GELU is over as many channels as its output has
        return {"gelu": output.numel()}
    if isinstance(module, Mlp):
        return {"gelu": output[:, 0].numel() * module.depthwise.out_channels}
    return {}


def _sum(units: Units) -> Counter[str]:
    return sum(units.values(), Counter())


def _by_operator(units: Units, convention: Convention) -> dict[str, int]:
    total = _sum(units)
    return {
        name: convention.total({name: n}) for name, n in total.items() if name in convention.factors
    }


def _by_module(units: Units, convention: Convention) -> dict[str, int]:
    return {name: convention.total(counted) for name, counted in units.items()}


def _fvcore_by_module(analysis: "FlopCountAnalysis", parts: Iterable[str]) -> dict[str, int]:
    """fvcore's count of each part; it does not count the pooling."""
    counted = analysis.by_module()
    return {name: 0 if name == POOL else int(counted[name]) for name in parts}


def _zeroed(model: VAN, device: str) -> VAN:
    model = model.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    return model


def _fvcore(model: VAN, image: Tensor) -> "FlopCountAnalysis":
    analysis = FlopCountAnalysis(model, image)
    analysis.unsupported_ops_warnings(False)  # they are returned instead
    analysis.uncalled_modules_warnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # fvcore's use of torch.jit
        analysis.total()
    return analysis


def _ints(counts: Counter[str]) -> dict[str, int]:
    return {name: int(n) for name, n in counts.items()}
