"""How FLOPs and parameters are counted: each convention is a table of factors per kind.

``OPERATIONS`` are the kinds, with the unit in which each is measured; ``flops`` finds how many
units a network has. No convention here counts element-wise additions and multiplications.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OPERATIONS = {
    "conv": "multiply–adds of the convolutions",
    "conv_bias": "output elements of the convolutions, which all have a bias",
    "batch_norm": "elements that go through a BatchNorm",
    "batch_norm_params": "weights and biases of the BatchNorms",
    "layer_norm": "elements that go through a LayerNorm",
    "layer_norm_params": "weights and biases of the LayerNorms",
    "gelu": "elements that go through a GELU",
    "pool": "elements that go into the pooling",
    "linear": "multiply–adds of the classification head",
    "linear_bias": "output elements of the classification head",
}
"""The kinds of operation of a VAN, and what is counted of each, for one image."""


PARAM_KINDS = {
    "weights": "weights and biases of convolutions, norms and the head",
    "layer_scales": "layer scales, two for each channel of a block",
    "bn_statistics": "running means and variances of the BatchNorms, which are no parameters",
}
"""The numbers that a file of a VAN holds, as far as sources count them as parameters."""


@dataclass(frozen=True)
class Convention:
    """``factors`` maps a kind to what each unit counts; what it does not name is not counted."""

    title: str
    factors: Mapping[str, int]
    note: str = ""

    def total(self, units: Mapping[str, int]) -> int:
        """The count of a network that has these units of each kind.

        >>> CONVENTIONS["fvcore"].total({"conv": 100, "conv_bias": 7, "layer_norm": 2})
        110
        """
        return sum(factor * units.get(name, 0) for name, factor in self.factors.items())

    @property
    def rule(self) -> str:
        """The factors as one sum.

        >>> CONVENTIONS["fvcore"].rule
        'conv + 2 × batch_norm + 5 × layer_norm + linear'
        """
        return " + ".join(
            name if factor == 1 else f"{factor} × {name}" for name, factor in self.factors.items()
        )


CONVENTIONS = {
    "openmmlab": Convention(
        "OpenMMLab",
        {"conv": 1, "conv_bias": 1, "batch_norm": 2, "layer_norm": 2, "pool": 1},
        "the counter of mmcv 1.x; without the classification head",
    ),
    "fvcore": Convention(
        "fvcore",
        {"conv": 1, "batch_norm": 2, "layer_norm": 5, "linear": 1},
        "FlopCountAnalysis",
    ),
}
"""The conventions that a zoo can name for its figures; both are always measured."""

TORCHVISION_UNITS = {
    "conv": "multiply–adds of the convolutions",
    "matmul": "multiply–adds of the matrix products, linear layers among them",
    "attention": "multiply–adds inside torch's scaled dot-product attention (ViT)",
    "batch_norm": "elements that go through a BatchNorm",
    "layer_norm": "elements that go through a LayerNorm",
    "pool": "elements that go into adaptive average pooling",
}
"""The kinds of operation of torchvision's models that a convention counts, for one image."""

TORCHVISION_CONVENTIONS = {
    "torchvision": Convention(
        "torchvision",
        {"conv": 1, "matmul": 1, "attention": 1},
        "the counter in torchvision's tests (get_ops in test/common_extended_utils.py), which made "
        "the figures _ops of its weights",
    ),
    "fvcore": Convention(
        "fvcore",
        {"conv": 1, "matmul": 1, "batch_norm": 2, "layer_norm": 5, "pool": 1},
        "FlopCountAnalysis, which does not know scaled dot-product attention",
    ),
}
"""The conventions for torchvision's models, which are always measured. OpenMMLab's was not run on
them. fvcore's rule is tested with fvcore itself, which rounds torch.einsum (MaxViT) to four digits.
"""

OTHER_COUNTERS = {
    "torch": Convention(
        "torch.utils.flop_counter",
        {"conv": 2, "linear": 2},
        "a multiply–add is two FLOPs",
    ),
    "ptflops": Convention(
        "ptflops 0.7.5",
        {
            "conv": 1,
            "conv_bias": 1,
            "batch_norm": 2,
            "layer_norm": 1,
            "gelu": 2,
            "linear": 1,
            "linear_bias": 1,
        },
        "its default backend, for code with GELU as a module (nn.GELU), as OpenMMLab's and the "
        "authors': it counts the module, and once more the function that the module calls",
    ),
    "ptflops_aten": Convention(
        "ptflops 0.7.5, aten",
        {"conv": 1, "conv_bias": 1, "linear": 1, "linear_bias": 1},
        'with backend="aten"',
    ),
    "paddleclas": Convention(
        "PaddleClas",
        {"conv": 1, "conv_bias": 1, "batch_norm": 2, "linear": 1},
        "the rule that gives all FLOPs of its page on VAN; LayerNorm is not in it",
    ),
    "simpleaicv": Convention(
        "SimpleAICV",
        {"conv": 1, "conv_bias": 1, "batch_norm": 2, "layer_norm": 2, "pool": 1, "linear": 1},
        "OpenMMLab's and the head; it gives its 880.224 M of VAN-B0 to the last digit",
    ),
    "torchinfo": Convention(
        "torchinfo 1.8.0",
        {
            "conv": 1,
            "conv_bias": 1,
            "batch_norm_params": 1,
            "layer_norm_params": 1,
            "linear": 1,
            "linear_bias": 1,
        },
        "total_mult_adds; a norm counts with its parameters, whatever the size of the image",
    ),
}
"""Other tools and sources, so that their figures can be recognised. Each rule was found, and is
tested, with figures that the named version gave, or the source printed, for a VAN.
"""

COUNTERS = CONVENTIONS | OTHER_COUNTERS

PARAM_CONVENTIONS = {
    "parameters": Convention(
        "all parameters",
        {"weights": 1, "layer_scales": 1},
        "as model.parameters() of PyTorch has them",
    ),
    "with-bn-statistics": Convention(
        "parameters and BatchNorm statistics",
        {"weights": 1, "layer_scales": 1, "bn_statistics": 1},
        "as count_params() of Keras",
    ),
    "without-layer-scales": Convention(
        "parameters without layer scales",
        {"weights": 1},
        "those that belong to a module of their own; or a network without layer scales",
    ),
    "with-bn-statistics-without-layer-scales": Convention(
        "parameters and BatchNorm statistics, without layer scales",
        {"weights": 1, "bn_statistics": 1},
        "the rule that gives all parameters of PaddleClas' page on VAN",
    ),
}
"""What sources count as parameters; a zoo names one of them for its figures."""

TITLES = {name: rule.title for name, rule in {**COUNTERS, **TORCHVISION_CONVENTIONS}.items()}
"""The title of every convention that a zoo can name."""
