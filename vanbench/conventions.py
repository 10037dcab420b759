"""How FLOPs are counted: the named conventions, each as a factor per kind of operation.

One multiply–add is one FLOP in both. They differ in what else they count:

===========  ======================  =========================
operation    fvcore                  openmmlab (mmcv 1.x)
===========  ======================  =========================
conv         1 per multiply–add      1 per multiply–add
conv_bias    not counted             1 per output element
batch_norm   2 per element           2 per element
layer_norm   5 per element           2 per element
pool         not counted             1 per input element
linear       1 per multiply–add      not counted (the head)
===========  ======================  =========================

Neither counts GELU or element-wise additions and multiplications.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Convention:
    """``factors`` maps an operation to the FLOPs per unit; what it does not name is not counted."""

    title: str
    factors: Mapping[str, int]


CONVENTIONS = {
    "openmmlab": Convention(
        "OpenMMLab", {"conv": 1, "conv_bias": 1, "batch_norm": 2, "layer_norm": 2, "pool": 1}
    ),
    "fvcore": Convention("fvcore", {"conv": 1, "batch_norm": 2, "layer_norm": 5, "linear": 1}),
}
