"""Parameters and FLOPs under named conventions, as exact integers for one image.

One multiply–add is one FLOP in both conventions; they differ in what else they count:

============  =======================================  =========================================
operator      fvcore                                   openmmlab (mmcv 1.x)
============  =======================================  =========================================
convolution   multiply–adds                            multiply–adds + 1 per output element (bias)
BatchNorm     2 per element                            2 per element
LayerNorm     5 per element                            2 per element
pooling       not counted                              1 per input element
head          multiply–adds of the linear layer        not counted
============  =======================================  =========================================

Neither counts GELU or element-wise additions and multiplications. The openmmlab column is counted
here from the shapes that pass each module; fvcore's is fvcore's own.
"""

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from vanbench.checkpoints.load import build
from vanbench.model.architecture import Architecture
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
    model = _shapes_only(architecture)
    params = {name: _params(part) for name, part in _parts(model)}
    ours, ours_by_module = _count_openmmlab(model, resolution)
    analysis = _fvcore(_zeroed(model, device), torch.zeros(1, 3, resolution, resolution).to(device))
    fvcore_by_module = analysis.by_module()
    head = sum(p.numel() for p in model.head.parameters())
    return Complexity(
        architecture=architecture,
        resolution=resolution,
        params=_params(model),
        params_backbone=_params(model) - head,
        by_operator={"fvcore": _ints(analysis.by_operator()), "openmmlab": ours},
        by_module={
            "fvcore": {name: int(fvcore_by_module[name]) for name in params},
            "openmmlab": {name: ours_by_module[name] for name in params},
        },
        params_by_module=params,
        uncounted={op.removeprefix("aten::"): n for op, n in analysis.unsupported_ops().items()},
    )


def count_openmmlab(architecture: Architecture, resolution: int = 224) -> tuple[int, int]:
    """Parameters with the head, and FLOPs under OpenMMLab's convention, from shapes alone."""
    model = _shapes_only(architecture)
    return _params(model), sum(_count_openmmlab(model, resolution)[0].values())


def count_as_reported(
    architecture: Architecture, num_classes: int, resolution: int, device: str = "cpu"
) -> Complexity:
    """The counts in a report's scope: with a head of ``num_classes``, whatever the file has."""
    return count(replace(architecture, num_classes=num_classes), resolution, device)


def _shapes_only(architecture: Architecture) -> VAN:
    with torch.device("meta"):
        return build(architecture).eval().requires_grad_(False)


def _parts(model: VAN) -> list[tuple[str, nn.Module]]:
    """The modules a person thinks of: each stage's embedding, blocks and norm, and the head."""
    names = [f"stages.{s}.{part}" for s in range(4) for part in ("patch_embed", "blocks", "norm")]
    return [(name, model.get_submodule(name)) for name in [*names, "head"]]


def _params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _count_openmmlab(model: VAN, resolution: int) -> tuple[dict[str, int], Counter[str]]:
    """Operator and module counts from the shapes of a forward pass on the meta device."""
    operators: Counter[str] = Counter()
    modules: Counter[str] = Counter()

    def count_module(part: str, module: nn.Module, output: Tensor) -> None:
        counts = _openmmlab_counts(module, output)
        operators.update(counts)
        modules[part] += sum(counts.values())

    handles = [
        module.register_forward_hook(
            lambda module, _, output, part=part: count_module(part, module, output)
        )
        for part, parent in _parts(model)
        for module in parent.modules()
    ]
    features = model.stages(torch.empty(1, 3, resolution, resolution, device="meta"))
    operators["pool"] = features.numel()
    for handle in handles:
        handle.remove()
    return dict(operators), modules


def _openmmlab_counts(module: nn.Module, output: Tensor) -> dict[str, int]:
    """What mmcv 1.x counts for one module; nothing for containers."""
    if isinstance(module, nn.Conv2d):
        per_output = module.weight[0].numel()  # kernel height × width × input channels per group
        return {"conv": per_output * output.numel(), "conv_bias": output.numel()}
    if isinstance(module, nn.BatchNorm2d):
        return {"batch_norm": 2 * output.numel()}
    if isinstance(module, nn.LayerNorm):
        return {"layer_norm": 2 * output.numel()}
    return {}


def _zeroed(model: VAN, device: str) -> VAN:
    model = model.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    return model


def _fvcore(model: VAN, image: Tensor) -> FlopCountAnalysis:
    analysis = FlopCountAnalysis(model, image)
    analysis.unsupported_ops_warnings(False)  # they are returned instead
    analysis.uncalled_modules_warnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # fvcore's use of torch.jit
        analysis.total()
    return analysis


def _ints(counts: Counter) -> dict[str, int]:
    return {name: int(n) for name, n in counts.items()}
