"""Parameters and FLOPs under the named conventions, as exact integers for one image.

What a convention counts is in ``conventions``. fvcore's counts are fvcore's own; the others are
computed here from the shapes that pass each module.
"""

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from vanbench.conventions import CONVENTIONS, Convention
from vanbench.model.architecture import Architecture
from vanbench.model.build import build_uninitialized
from vanbench.model.van import VAN

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore compiles a helper with torch.jit
    from fvcore.nn import FlopCountAnalysis


@dataclass(frozen=True)
class Complexity:
    """Integer counts of one architecture at one input size.

    ``params`` is with the classification head, ``params_backbone`` without it. ``by_operator`` and
    ``by_module`` map a convention to the counts of its parts; ``uncounted`` says how often fvcore
    met each operator that it does not count.
    """

    architecture: Architecture
    resolution: int
    params: int
    params_backbone: int
    by_operator: dict[str, dict[str, int]]
    by_module: dict[str, dict[str, int]]
    params_by_module: dict[str, int]
    uncounted: dict[str, int]

    @property
    def flops(self) -> dict[str, int]:
        """The total of each convention."""
        return {name: sum(parts.values()) for name, parts in self.by_operator.items()}


@cache
def count(architecture: Architecture, resolution: int = 224, device: str = "cpu") -> Complexity:
    """The counts at ``resolution`` × ``resolution``; weights are never initialised.

    fvcore traces a real forward pass, so it takes about as long as one (on ``device``).
    """
    model = build_uninitialized(architecture).eval().requires_grad_(False)
    params = {name: _params(part) for name, part in _parts(model)}
    by_operator, by_module = {}, {}
    for name, convention in CONVENTIONS.items():
        if name != "fvcore":
            by_operator[name], by_module[name] = _count(model, resolution, convention)
    analysis = _fvcore(_zeroed(model, device), torch.zeros(1, 3, resolution, resolution).to(device))
    fvcore_by_module = analysis.by_module()
    head = sum(p.numel() for p in model.head.parameters())
    return Complexity(
        architecture=architecture,
        resolution=resolution,
        params=_params(model),
        params_backbone=_params(model) - head,
        by_operator={"fvcore": _ints(analysis.by_operator()), **by_operator},
        by_module={"fvcore": {name: int(fvcore_by_module[name]) for name in params}, **by_module},
        params_by_module=params,
        uncounted={op.removeprefix("aten::"): n for op, n in analysis.unsupported_ops().items()},
    )


def count_from_shapes(
    architecture: Architecture, resolution: int = 224, convention: str = "openmmlab"
) -> tuple[int, int]:
    """Parameters with the head, and FLOPs under a convention, from shapes alone: in an instant."""
    model = build_uninitialized(architecture).eval()
    by_operator, _ = _count(model, resolution, CONVENTIONS[convention])
    return _params(model), sum(by_operator.values())


def count_as_reported(
    architecture: Architecture, num_classes: int, resolution: int, device: str = "cpu"
) -> Complexity:
    """The counts in a report's scope: with a head of ``num_classes``, whatever the file has."""
    return count(replace(architecture, num_classes=num_classes), resolution, device)


def _parts(model: VAN) -> list[tuple[str, nn.Module]]:
    """The modules a person thinks of: each stage's embedding, blocks and norm, and the head."""
    names = [f"stages.{s}.{part}" for s in range(4) for part in ("patch_embed", "blocks", "norm")]
    return [(name, model.get_submodule(name)) for name in [*names, "head"]]


def _params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _count(
    model: VAN, resolution: int, convention: Convention
) -> tuple[dict[str, int], dict[str, int]]:
    """FLOPs by operation and by module, from the shapes of a forward pass on the meta device."""
    operations: Counter[str] = Counter()
    modules = {part: 0 for part, _ in _parts(model)}

    def add(part: str, module: nn.Module, output: Tensor) -> None:
        for operation, units in _units(module, output).items():
            if operation in convention.factors:
                flops = convention.factors[operation] * units
                operations[operation] += flops
                modules[part] += flops

    handles = [
        module.register_forward_hook(lambda module, _, output, part=part: add(part, module, output))
        for part, parent in _parts(model)
        for module in parent.modules()
    ]
    features = model.stages(torch.empty(1, 3, resolution, resolution, device="meta"))
    if "pool" in convention.factors:
        operations["pool"] = convention.factors["pool"] * features.numel()
    model.head(features.mean(dim=(2, 3)))
    for handle in handles:
        handle.remove()
    return dict(operations), modules


def _units(module: nn.Module, output: Tensor) -> dict[str, int]:
    """How many units of each operation a module does: multiply–adds, or elements."""
    if isinstance(module, nn.Conv2d):
        per_output = module.weight[0].numel()  # kernel height × width × input channels per group
        return {"conv": per_output * output.numel(), "conv_bias": output.numel()}
    if isinstance(module, nn.Linear):
        return {"linear": module.in_features * output.numel()}
    if isinstance(module, nn.BatchNorm2d):
        return {"batch_norm": output.numel()}
    if isinstance(module, nn.LayerNorm):
        return {"layer_norm": output.numel()}
    return {}


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
