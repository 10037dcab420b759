"""Counts in the way in which the source of a claim counted, so that both can be compared."""

from collections.abc import Mapping
from typing import Protocol

from vanbench.conventions import COUNTERS, PARAM_CONVENTIONS
from vanbench.model.expected_counts import expected_param_kinds, expected_params, expected_units
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture
from vanbench.zoo.entries import Counting


class CountedNetwork(Protocol):
    """What was counted of a network; a record of it and ``flops.Complexity`` are such."""

    @property
    def architecture(self) -> AnyArchitecture:
        """The network, with the head that was counted."""

    @property
    def resolution(self) -> int:
        """Side of the input, in pixels."""

    @property
    def params(self) -> int:
        """All parameters."""

    @property
    def flops(self) -> Mapping[str, int]:
        """FLOPs by convention."""


def params_as(counting: Counting, counted: CountedNetwork) -> int:
    """The parameters in the source's way: those counted, and what it adds or leaves out."""
    if isinstance(counted.architecture, TorchvisionArchitecture):
        return counted.params
    total = PARAM_CONVENTIONS[counting.params].total(expected_param_kinds(counted.architecture))
    return counted.params + total - expected_params(counted.architecture)[0]


def flops_as(counting: Counting, counted: CountedNetwork) -> int:
    """The FLOPs under the source's convention: as counted, else from the shapes of the network."""
    convention = counting.convention
    if convention in counted.flops or isinstance(counted.architecture, TorchvisionArchitecture):
        return counted.flops[convention]
    return COUNTERS[convention].total(expected_units(counted.architecture, counted.resolution))
