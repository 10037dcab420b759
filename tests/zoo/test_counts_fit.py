"""What a published count is, if it is not that of its architecture."""

from dataclasses import replace

import pytest

from vanbench.flops import count
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.expected_counts import expected_units
from vanbench.zoo.counts_fit import flops_misfit, params_misfit
from vanbench.zoo.entries import Claims, Counting
from vanbench.zoo.reader import load_zoo
from vanbench.zoo.reported import Reported

B0 = load_zoo("openmmlab").find("van_b0")


def claiming(params=None, flops=None, **changes):
    claims = Claims(params and Reported(params), flops and Reported(flops))
    return replace(B0, claims=claims, **changes)


@pytest.mark.parametrize("zoo", ["openmmlab", "demo"])
def test_the_shipped_zoos_fit(zoo):
    for entry in load_zoo(zoo).entries:
        assert (params_misfit(entry), flops_misfit(entry)) == (None, None)


def test_a_misprint_without_its_erratum_is_found():
    b6 = replace(load_zoo("openmmlab").find("van_b6"), erratum=None)
    assert "283.9 M parameters reported, 199.829 M expected" in str(params_misfit(b6))
    assert "no published architecture and no convention" in str(flops_misfit(b6))


@pytest.mark.parametrize(
    ("figure", "what"),
    [
        ("3.85", "it fits the network without its head"),
        ("13.86", "it fits van_b1 with 1,000 classes"),
        ("4105800", "it is in another unit: write it in millions"),
        ("4106", "it is in another unit: write it in millions"),
        ("7.77", "no published architecture and no convention known here gives it"),
    ],
)
def test_other_parameters(figure, what):
    assert str(params_misfit(claiming(params=figure))).endswith(f"; {what}")


@pytest.mark.parametrize(
    ("figure", "what"),
    [
        ("0.868", "it fits the count of fvcore at 224×224"),
        ("1.15", "it fits the count of OpenMMLab at 256×256"),
        ("1.760", "it fits the count of OpenMMLab with a multiply–add as two FLOPs at 224×224"),
        ("2.518", "it fits van_b1, by OpenMMLab"),
        ("880", "it is in another unit: write it in billions"),
        ("7.77", "no published architecture and no convention known here gives it"),
    ],
)
def test_other_flops(figure, what):
    assert str(flops_misfit(claiming(flops=figure))).endswith(f"; {what}")


def test_exchanged_columns_are_recognised():
    """As a metafile of OpenMMLab once had them."""
    entry = claiming(params="0.88", flops="4.11")
    assert "the two are exchanged" in str(params_misfit(entry))
    assert "the two are exchanged" in str(flops_misfit(entry))


def test_the_convention_and_the_side_of_the_entry_count():
    fvcore = Counting("fvcore", 256)
    entry = claiming(flops="0.880", counting=fvcore)
    assert "under fvcore's convention; it fits the count of OpenMMLab at 224×224" in str(
        flops_misfit(entry)
    )
    assert flops_misfit(claiming(flops="1.13", counting=fvcore)) is None


def test_the_units_are_those_that_are_counted():
    architecture = ARCHITECTURES["van_b0"]
    counted = count(architecture, 64).units
    units = expected_units(architecture, 64)
    assert {name: counted[name] for name in units} == units
