"""The JSON form of counts: the documents of ``flops --json``, one for each model."""

from typing import TYPE_CHECKING

from vanbench.conventions import COUNTERS
from vanbench.errors import VanbenchError
from vanbench.typed_json import Json
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity


def count_json(entry: Entry, complexity: "Complexity") -> Json:
    """What was counted of a model, beside what was reported."""
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "resolution": complexity.resolution,
        "params": complexity.params,
        "params_backbone": complexity.params_backbone,
        "flops": complexity.flops,
        "by_operator": complexity.by_operator["fvcore"],
        "by_operator_openmmlab": complexity.by_operator["openmmlab"],
        "by_module": complexity.by_module,
        "uncounted": complexity.uncounted,
        "operations": complexity.units,
        "counters": {
            name: {"title": rule.title, "flops": rule.total(complexity.units), "rule": rule.rule}
            for name, rule in COUNTERS.items()
        },
        "reported": _reported_json(entry),
        "erratum": _erratum_json(entry, complexity.resolution),
    }


def not_counted_json(entry: Entry, error: VanbenchError) -> Json:
    """The form of a model that failed: why, and None for each figure."""
    figures = ("resolution", "params", "params_backbone", "flops", "by_operator")
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "reason": str(error),
        **dict.fromkeys(figures),
        "reported": _reported_json(entry),
    }


def _reported_json(entry: Entry) -> Json:
    claims = entry.claims
    return {
        "params_m": claims.params_m and float(claims.params_m.value),
        "flops_g": claims.flops_g and float(claims.flops_g.value),
    }


def _erratum_json(entry: Entry, resolution: int) -> Json | None:
    from vanbench.flops import count_from_shapes

    erratum = entry.erratum
    if erratum is None:
        return None
    document: Json = {"reason": erratum.reason, "reported_architecture": None}
    if other := erratum.reported_architecture:
        params, flops = count_from_shapes(other, resolution)
        counts = {"params": params, "flops": {"openmmlab": flops}}
        document["reported_architecture"] = other.as_dict() | counts
    return document
