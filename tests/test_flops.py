"""Counts against closed forms in the numbers of the architecture, and against the report."""

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.models import TINY
from vanbench.conventions import CONVENTIONS
from vanbench.flops import count, count_as_reported, count_by_rules, count_from_shapes
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.zoo.reader import load_zoo

ZOO = load_zoo("openmmlab")


def _body(a: Architecture):
    return a.embed_dims, a.depths, a.mlp_ratios


def closed_params(a: Architecture) -> int:
    """Weights and biases, part by part."""
    total = a.embed_dims[-1] * a.num_classes + a.num_classes
    inputs = (3, *a.embed_dims[:-1])
    for s, (c, depth, ratio) in enumerate(zip(a.embed_dims, a.depths, a.mlp_ratios, strict=True)):
        kernel = 49 if s == 0 else 9
        embed = kernel * inputs[s] * c + c + 2 * c
        hidden = ratio * c
        attention = 3 * (c * c + c) + (25 * c + c) + (49 * c + c)
        mlp = (c * hidden + hidden) + (9 * hidden + hidden) + (hidden * c + c)
        total += embed + depth * (attention + mlp + 4 * c + 2 * c) + 2 * c
    return total


def closed_flops(a: Architecture, resolution: int) -> dict[str, int]:
    """Both conventions, from FACTS about what each counts."""
    macs = biases = batch_norm = layer_norm = 0
    side = resolution
    inputs = (3, *a.embed_dims[:-1])
    for s, (c, depth, ratio) in enumerate(zip(a.embed_dims, a.depths, a.mlp_ratios, strict=True)):
        kernel, stride, pad = (7, 4, 3) if s == 0 else (3, 2, 1)
        side = (side + 2 * pad - kernel) // stride + 1
        n, hidden = side * side, ratio * c
        macs += kernel * kernel * inputs[s] * c * n
        biases += c * n
        batch_norm += 2 * c * n
        macs += depth * n * (3 * c * c + 25 * c + 49 * c + 2 * c * hidden + 9 * hidden)
        biases += depth * n * (5 * c + 2 * hidden + c)
        batch_norm += depth * 2 * (2 * c * n)
        layer_norm += c * n
    pool, head = a.embed_dims[-1] * side * side, a.embed_dims[-1] * a.num_classes
    return {
        "fvcore": macs + batch_norm + 5 * layer_norm + head,
        "openmmlab": macs + biases + batch_norm + 2 * layer_norm + pool,
    }


@pytest.mark.parametrize("resolution", [32, 37, 64, 97])
def test_tiny_counts_are_the_closed_form(resolution):
    complexity = count(TINY, resolution)
    assert complexity.params == closed_params(TINY)
    assert complexity.params_backbone == closed_params(TINY) - 20 * 10 - 10
    assert complexity.flops == closed_flops(TINY, resolution)


@pytest.mark.parametrize("name", ["van_b0", "van_b1"])
def test_published_variants_are_the_closed_form(name):
    architecture = ARCHITECTURES[name]
    assert count(architecture, 224).flops == closed_flops(architecture, 224)


@pytest.mark.parametrize("entry", ZOO.entries, ids=lambda e: e.name)
def test_openmmlab_counts_are_the_reported_figures(entry):
    """To the printed digits; VAN-B6 with the 480 channels that its report was made with."""
    architecture = entry.architecture
    if entry.erratum:
        corrected = entry.erratum.corrected
        params, flops = count_from_shapes(architecture)
        assert corrected.params_m.equals(Fraction(params, 10**6))
        assert corrected.flops_g.equals(Fraction(flops, 10**9))
        architecture = entry.erratum.reported_architecture
    params, flops = count_from_shapes(architecture)
    assert entry.claims.params_m.equals(Fraction(params, 10**6))
    assert entry.claims.flops_g.equals(Fraction(flops, 10**9))
    assert (params, flops) == (
        closed_params(architecture),
        closed_flops(architecture, 224)["openmmlab"],
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fvcore_lies_a_little_below_openmmlab(name):
    flops = count(ARCHITECTURES[name]).flops
    assert flops == closed_flops(ARCHITECTURES[name], 224)
    below = 100 * (1 - flops["fvcore"] / flops["openmmlab"])
    assert 0.4 <= round(below, 1) <= 1.4  # percent


@pytest.mark.parametrize("resolution", [32, 97])
@pytest.mark.parametrize("architecture", [TINY, Architecture(*_body(TINY), num_classes=0)])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_operators_and_modules_add_up_to_the_total(convention, architecture, resolution):
    complexity = count(architecture, resolution)
    total = complexity.flops[convention]
    assert total == closed_flops(architecture, resolution)[convention]
    assert sum(complexity.by_operator[convention].values()) == total
    assert sum(complexity.by_module[convention].values()) == total


def test_every_convention_has_the_same_modules_in_the_order_of_the_network():
    by_module = count(TINY, 64).by_module
    assert list(by_module["openmmlab"]) == list(by_module["fvcore"])
    assert list(by_module["fvcore"])[-3:] == ["stages.3.norm", "pool", "head"]
    assert by_module["openmmlab"]["pool"] == TINY.embed_dims[-1] * 2 * 2


def test_the_parameters_of_the_modules_add_up_and_what_fvcore_leaves_out_is_listed():
    complexity = count(TINY, 64)
    assert sum(complexity.params_by_module.values()) == complexity.params
    blocks = sum(TINY.depths)
    # per block: two GELUs, three multiplications (the gate, two scales), three additions
    assert complexity.uncounted == {
        "gelu": 2 * blocks, "mul": 3 * blocks, "add": 3 * blocks, "mean": 1
    }  # fmt: skip


@pytest.mark.parametrize("resolution", [32, 97])
def test_fvcores_own_counts_are_its_rule(resolution):
    complexity = count(TINY, resolution)
    assert CONVENTIONS["fvcore"].total(complexity.units) == complexity.flops["fvcore"]


def test_the_reports_scope_has_its_own_head():
    with_head = count_as_reported(Architecture(*_body(TINY), num_classes=0), 10, 32)
    assert with_head.params == count(TINY, 32).params


@pytest.mark.parametrize("resolution", [32, 97])
@pytest.mark.parametrize("architecture", [TINY, ARCHITECTURES["van_b0"]])
def test_fvcores_rule_gives_what_fvcore_gives(architecture, resolution):
    traced, by_rules = count(architecture, resolution), count_by_rules(architecture, resolution)
    assert by_rules.uncounted == {}
    assert replace(traced, uncounted={}) == by_rules
