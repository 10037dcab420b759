"""The closed form gives what ``vanbench.flops`` counts in the network, and fvcore with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import TINY
from vanbench.flops import count, count_from_shapes
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.expected_counts import expected_flops, expected_params

FOUR = st.tuples(*[st.integers(1, 3)] * 4)


@pytest.mark.parametrize("resolution", [32, 33, 97])
@pytest.mark.parametrize(
    "architecture", [TINY, Architecture(TINY.embed_dims, TINY.depths, TINY.mlp_ratios, 0)]
)
def test_everything_is_what_is_counted(architecture, resolution):
    counted = count(architecture, resolution)
    assert expected_params(architecture) == (counted.params, counted.params_backbone)
    assert expected_flops(architecture, resolution) == counted.flops


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_published_variants(name):
    architecture = ARCHITECTURES[name]
    params, flops = count_from_shapes(architecture)
    assert expected_params(architecture)[0] == params
    assert expected_flops(architecture, 224)["openmmlab"] == flops
    assert expected_flops(architecture, 224)["fvcore"] == count_from_shapes(
        architecture, convention="fvcore"
    )[1]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(FOUR, FOUR, FOUR, st.integers(0, 9), st.integers(32, 130))
def test_any_architecture_and_any_side(dims, depths, ratios, num_classes, resolution):
    architecture = Architecture(tuple(4 * d for d in dims), depths, ratios, num_classes)
    params, flops = count_from_shapes(architecture, resolution)
    assert expected_params(architecture)[0] == params
    assert expected_flops(architecture, resolution)["openmmlab"] == flops
