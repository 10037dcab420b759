"""The JSON form of counts: the documents of ``flops --json``, one for each model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from vanbench.conventions import COUNTERS, TORCHVISION_CONVENTIONS, Convention
from vanbench.errors import ErrorJson, VanbenchError, error_json
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import AnyArchitectureDict, TorchvisionArchitecture
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.count_verdicts import judge_counts
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity


class FlopsByConvention(TypedDict):
    """The FLOPs of one image under each convention."""

    fvcore: int
    """FLOPs as fvcore's FlopCountAnalysis counts them."""
    openmmlab: int | None
    """FLOPs as OpenMMLab's counter (mmcv 1.x) counts them; null for a model of torchvision."""
    torchvision: int | None
    """FLOPs as the counter of torchvision's tests counts them; null for a VAN."""


class PartsByConvention(TypedDict):
    """The FLOPs of each module of the network under each convention."""

    fvcore: dict[str, int]
    """FLOPs of each module under fvcore's convention; they add up to its total."""
    openmmlab: dict[str, int] | None
    """FLOPs of each module under OpenMMLab's convention; they add up to its total. Null for a model
    of torchvision."""
    torchvision: dict[str, int] | None
    """FLOPs of each module under torchvision's convention; they add up to its total. Null for a
    VAN."""


class CounterJson(TypedDict):
    """What one counter gives for the network."""

    title: str
    """The name of the tool, with its version where that matters."""
    flops: int
    """Its figure for one image."""
    rule: str
    """The figure as a sum over ``operations``."""


class ReportedCounts(TypedDict):
    """The published counts."""

    params_m: float | None
    """Reported parameters, in millions; null if none are reported."""
    flops_g: float | None
    """Reported FLOPs, in billions, at ``reported_resolution``; null if none are reported."""


class OpenmmlabFlops(TypedDict):
    """FLOPs under OpenMMLab's convention."""

    openmmlab: int
    """FLOPs of one image."""


class ReportedArchitecture(TypedDict):
    """The architecture whose counts the misprinted figures are."""

    arch: str
    """The published name of these widths and depths, or ``custom``."""
    embed_dims: list[int]
    """Channels of each of the four stages."""
    depths: list[int]
    """Blocks of each of the four stages."""
    mlp_ratios: list[int]
    """How many times wider the hidden layer of the MLP is, for each of the four stages."""
    num_classes: int
    """Outputs of the classification head."""
    params: int
    """Its parameters, with the classification head."""
    flops: OpenmmlabFlops
    """Its FLOPs at ``resolution``."""


class VerdictsJson(TypedDict):
    """What the counts say about the reported ones."""

    params: str
    """The verdict on the parameters: ``reproduced``, ``erratum``, ``deviates`` or ``not
    reported``."""
    flops: str | None
    """The verdict on the FLOPs; null where ``resolution`` is not ``reported_resolution``."""


class CountErratum(TypedDict):
    """A reported figure that is known to be wrong."""

    reason: str
    """Why it is wrong, and what is right."""
    reported_architecture: ReportedArchitecture | None
    """The network that has the misprinted counts; null if the zoo names none."""


class CountJson(TypedDict):
    """What was counted of one model, beside what was reported."""

    name: str
    """The model, ARCH.TAG."""
    architecture: AnyArchitectureDict
    """The architecture that was counted: the one that the zoo declares."""
    reason: str | None
    """Why nothing was counted; null if it was counted."""
    error: ErrorJson | None
    """The failure of this model; null if it was counted."""
    resolution: int | None
    """Side of the square input, in pixels; null where nothing was counted."""
    params: int | None
    """Parameters, with the classification head; null where nothing was counted."""
    params_backbone: int | None
    """Parameters without the classification head; null where nothing was counted."""
    flops: FlopsByConvention | None
    """FLOPs of one image at ``resolution``; null where nothing was counted."""
    by_operator: dict[str, int] | None
    """fvcore's FLOPs by operator; null where nothing was counted."""
    by_operator_openmmlab: dict[str, int] | None
    """OpenMMLab's FLOPs by operation; null where nothing was counted, and for a model of
    torchvision."""
    by_module: PartsByConvention | None
    """FLOPs by module of the network; null where nothing was counted."""
    uncounted: dict[str, int] | None
    """How often fvcore met each operator that it does not count; null where nothing was counted."""
    operations: dict[str, int] | None
    """How many units of each kind of operation one image takes; null where nothing was counted."""
    counters: dict[str, CounterJson] | None
    """What each counter gives, other tools' among them; null where nothing was counted."""
    params_convention: str
    """What the source counts as parameters, such as ``parameters`` or ``with-bn-statistics``."""
    flops_convention: str
    """The convention of the published FLOPs, one of ``counters``."""
    params_as_reported: int | None
    """Parameters as the source counts them; null where nothing was counted."""
    flops_as_reported: int | None
    """FLOPs as the source counts them, at ``resolution``; null where nothing was counted."""
    reported: ReportedCounts
    """What the source reports."""
    reported_resolution: int
    """The side of the input, in pixels, that the reported FLOPs are for."""
    verdicts: VerdictsJson | None
    """What the counts say about the reported ones; null where nothing was counted."""
    erratum: CountErratum | None
    """What is known to be misprinted; null if nothing is, and where nothing was counted."""


def count_json(entry: Entry, complexity: "Complexity") -> CountJson:
    """What was counted of a model, beside what was reported."""
    verdicts = judge_counts(entry, complexity)
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "reason": None,
        "error": None,
        "resolution": complexity.resolution,
        "params": complexity.params,
        "params_backbone": complexity.params_backbone,
        "flops": _by_convention(complexity.flops),
        "by_operator": complexity.by_operator["fvcore"],
        "by_operator_openmmlab": complexity.by_operator.get("openmmlab"),
        "by_module": {
            "fvcore": complexity.by_module["fvcore"],
            "openmmlab": complexity.by_module.get("openmmlab"),
            "torchvision": complexity.by_module.get("torchvision"),
        },
        "uncounted": complexity.uncounted,
        "operations": complexity.units,
        "counters": {
            name: {"title": rule.title, "flops": rule.total(complexity.units), "rule": rule.rule}
            for name, rule in counters_of(complexity).items()
        },
        "params_convention": entry.counting.params,
        "flops_convention": entry.counting.convention,
        "params_as_reported": params_as(entry.counting, complexity),
        "flops_as_reported": flops_as(entry.counting, complexity),
        "reported": _reported_json(entry),
        "reported_resolution": entry.counting.resolution,
        "verdicts": {"params": verdicts.params, "flops": verdicts.flops},
        "erratum": _erratum_json(entry, complexity.resolution),
    }


def counters_of(complexity: "Complexity") -> Mapping[str, Convention]:
    """The counters whose rules are about the operations of such a network."""
    of_torchvision = isinstance(complexity.architecture, TorchvisionArchitecture)
    return TORCHVISION_CONVENTIONS if of_torchvision else COUNTERS


def not_counted_json(entry: Entry, error: VanbenchError) -> CountJson:
    """The form of a model that failed: why, and None for each figure."""
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "reason": str(error),
        "error": error_json(error),
        "resolution": None,
        "params": None,
        "params_backbone": None,
        "flops": None,
        "by_operator": None,
        "by_operator_openmmlab": None,
        "by_module": None,
        "uncounted": None,
        "operations": None,
        "counters": None,
        "params_convention": entry.counting.params,
        "flops_convention": entry.counting.convention,
        "params_as_reported": None,
        "flops_as_reported": None,
        "reported": _reported_json(entry),
        "reported_resolution": entry.counting.resolution,
        "verdicts": None,
        "erratum": None,
    }


def _by_convention(flops: dict[str, int]) -> FlopsByConvention:
    return {
        "fvcore": flops["fvcore"],
        "openmmlab": flops.get("openmmlab"),
        "torchvision": flops.get("torchvision"),
    }


def _reported_json(entry: Entry) -> ReportedCounts:
    params, flops = entry.claims.params_m, entry.claims.flops_g
    return {
        "params_m": float(params.value) if params else None,
        "flops_g": float(flops.value) if flops else None,
    }


def _erratum_json(entry: Entry, resolution: int) -> CountErratum | None:
    if entry.erratum is None:
        return None
    other = entry.erratum.reported_architecture
    return {
        "reason": entry.erratum.reason,
        "reported_architecture": _counted(other, resolution) if other else None,
    }


def _counted(architecture: Architecture, resolution: int) -> ReportedArchitecture:
    from vanbench.flops import count_from_shapes

    params, flops = count_from_shapes(architecture, resolution)
    return {**architecture.as_dict(), "params": params, "flops": {"openmmlab": flops}}
