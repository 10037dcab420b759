"""Each counter's rule gives the figures that the counter itself gives for a VAN."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.support.models import TINY
from vanbench.conventions import (
    CONVENTIONS,
    COUNTERS,
    OPERATIONS,
    OTHER_COUNTERS,
    PARAM_CONVENTIONS,
    PARAM_KINDS,
)
from vanbench.flops import count, count_from_shapes
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import build_uninitialized
from vanbench.model.expected_counts import expected_param_kinds

MEASURED = {
    ("van_b0", 32): (18414312, 18147688, 18156136),
    ("van_b0", 97): (208999752, 206174152, 206182600),
    ("van_b0", 224): (889965288, 876900712, 876909160),
    ("van_b1", 32): (52170728, 51790568, 51805416),
    ("van_b1", 97): (610735016, 606659240, 606674088),
    ("van_b1", 224): (2531741672, 2513113832, 2513128680),
    ("van_b2", 32): (103711720, 103045864, 103073768),
    ("van_b2", 97): (1229821480, 1222518952, 1222546856),
    ("van_b2", 224): (5057250280, 5024623336, 5024651240),
    ("van_b3", 32): (184685032, 183660264, 183708392),
    ("van_b3", 97): (2203621288, 2192074152, 2192122280),
    ("van_b3", 224): (9024942568, 8974728936, 8974777064),
    ("van_b4", 32): (250924008, 249621224, 249686504),
    ("van_b4", 97): (3005987112, 2991110312, 2991175592),
    ("van_b4", 224): (12270652392, 12206815976, 12206881256),
    ("van_b5", 32): (352946152, 351624808, 351689704),
    ("van_b5", 97): (4242857032, 4227951880, 4228016776),
    ("van_b5", 224): (17257449448, 17192703592, 17192768488),
    ("van_b6", 32): (797234152, 793983208, 794152552),
    ("van_b6", 97): (9605166088, 9567851944, 9568021288),
    ("van_b6", 224): (39027561448, 38868265192, 38868434536),
}
"""By variant and resolution, what tools/measure_other_counters.py printed: ptflops 0.7.5, the same
with its aten backend, and torchinfo 1.8.0; with torch 2.14.1.
"""


@pytest.mark.parametrize(("name", "resolution"), MEASURED)
def test_the_rules_give_what_the_tools_gave(name, resolution):
    architecture = ARCHITECTURES[name]
    counted = [
        count_from_shapes(architecture, resolution, counter)[1]
        for counter in ("ptflops", "ptflops_aten", "torchinfo")
    ]
    assert tuple(counted) == MEASURED[name, resolution]


@pytest.mark.parametrize("architecture", [TINY, ARCHITECTURES["van_b0"]])
@pytest.mark.parametrize("resolution", [32, 97, 224])
def test_the_rule_of_torchs_counter_gives_what_it_gives(architecture, resolution):
    model = build_uninitialized(architecture).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, resolution, resolution, device="meta"))
    assert count_from_shapes(architecture, resolution, "torch")[1] == counter.get_total_flops()


def test_the_figures_that_people_know_of_van_b0():
    """In G, as the tools print them."""
    units = count(ARCHITECTURES["van_b0"]).units
    known = {"torch": "1.728", "ptflops": "0.890", "torchinfo": "0.877", "openmmlab": "0.880"}
    for counter, figure in known.items():
        assert f"{COUNTERS[counter].total(units) / 1e9:.3f}" == figure


def test_every_factor_names_an_operation_and_every_operation_is_measured():
    for convention in COUNTERS.values():
        assert convention.factors.keys() <= OPERATIONS.keys()
        assert all(factor > 0 for factor in convention.factors.values())
    assert count(TINY, 32).units.keys() == OPERATIONS.keys()
    assert not CONVENTIONS.keys() & OTHER_COUNTERS.keys()


def test_parameter_conventions_give_what_was_computed_by_hand():
    """Four stages of one block: a BatchNorm before the block and two in it, two layer scales."""
    channels = 8 + 16 + 24 + 32
    architecture = Architecture((8, 16, 24, 32), (1, 1, 1, 1), (8, 8, 4, 4), num_classes=10)
    kinds = expected_param_kinds(architecture)
    assert kinds["layer_scales"] == 2 * channels == 160
    assert kinds["bn_statistics"] == 3 * channels * 2 == 480
    total = sum(p.numel() for p in build_uninitialized(architecture).parameters())
    counted = {name: rule.total(kinds) for name, rule in PARAM_CONVENTIONS.items()}
    assert counted == {
        "parameters": total,
        "with-bn-statistics": total + 480,
        "without-layer-scales": total - 160,
        "with-bn-statistics-without-layer-scales": total + 320,
    }


@pytest.mark.parametrize("name", ["van_b0", "van_b3"])
def test_parameter_kinds_are_those_of_the_network(name):
    model = build_uninitialized(ARCHITECTURES[name])
    kinds = expected_param_kinds(ARCHITECTURES[name])
    scales = [p for key, p in model.named_parameters() if "scale" in key]
    statistics = [b for key, b in model.named_buffers() if "running" in key]
    assert kinds["layer_scales"] == sum(p.numel() for p in scales)
    assert kinds["bn_statistics"] == sum(b.numel() for b in statistics)
    assert kinds.keys() == PARAM_KINDS.keys()


@pytest.mark.parametrize(
    ("source", "convention", "digits", "figures"),
    [
        ("Keras port", "with-bn-statistics", 6, ["4.113224"]),
        ("PaddleClas", "with-bn-statistics-without-layer-scales", 3,
         ["4.110", "13.869", "26.592", "44.790"]),
        ("SimpleAICV", "without-layer-scales", 3, ["4.103", "13.856", "26.567"]),
    ],
)  # fmt: skip
def test_the_parameters_that_sources_print(source, convention, digits, figures):
    for number, figure in enumerate(figures):
        kinds = expected_param_kinds(ARCHITECTURES[f"van_b{number}"])
        counted = PARAM_CONVENTIONS[convention].total(kinds)
        assert f"{counted / 1e6:.{digits}f}" == figure, (source, number)


@pytest.mark.parametrize(
    ("counter", "figures"),
    [
        ("paddleclas", ["0.880", "2.518", "5.032", "8.987"]),
        ("simpleaicv", ["0.880224", "2.518", "5.033"]),
    ],
)
def test_the_flops_that_sources_print(counter, figures):
    for number, figure in enumerate(figures):
        _, flops = count_from_shapes(ARCHITECTURES[f"van_b{number}"], 224, counter)
        assert f"{flops / 1e9:.{len(figure) - 2}f}" == figure
