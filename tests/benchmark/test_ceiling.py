"""The ceiling: its multiply-adds are those of the network, and its rate is measured."""

import pytest
import torch
from torch import nn

from tests.support.models import TINY, randomized
from vanbench.benchmark.ceiling import measure_ceiling, multiply_adds, pointwise
from vanbench.flops import count
from vanbench.model.architecture import ARCHITECTURES


@pytest.mark.parametrize("architecture", [TINY, ARCHITECTURES["van_b0"]])
def test_multiply_adds_are_those_that_fvcore_counts(architecture):
    counted = count(architecture, 224).by_operator["fvcore"]
    assert multiply_adds(architecture, 224) == counted["conv"] + counted["linear"]


def test_pointwise_convolutions_are_those_of_the_network():
    expected = sum(
        module.weight.numel()
        for module in randomized().modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
    )
    assert sum(s.times * s.in_dim * s.dim for s in pointwise(TINY, 224)) == expected


def test_the_ceiling_is_the_rate_divided_by_the_work():
    ceiling = measure_ceiling(TINY, 64, torch.device("cpu"))
    assert ceiling.images_per_s * multiply_adds(TINY, 64) == pytest.approx(
        1e9 * ceiling.gmacs_per_s
    )
