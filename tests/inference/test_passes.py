"""Every step of the rewrite keeps the logits, alone where it can be alone, and after the others."""

from dataclasses import replace

import pytest
import torch

from tests.support.models import images, randomized, relative
from vanbench.inference import passes
from vanbench.inference.optimized import STEPS
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights

ALONE = [name for name in STEPS if name != "fuse_operators"]
SIZES = [(64, 64), (45, 77), (32, 130)]


@torch.no_grad()
def apply(*names):
    model = randomized().double()
    for name in names:
        STEPS[name](model)
    return model


def split_parts(model):
    return [module for module in model.modules() if isinstance(module, passes.SplitMlp)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALONE)
def test_each_step_alone_is_exact(name, size):
    x = images(size)
    assert relative(apply(name)(x), randomized().double()(x)) < 1e-10


@pytest.mark.parametrize("last", range(1, len(STEPS) + 1))
def test_each_beginning_of_the_list_is_exact(last):
    x = images()
    assert relative(apply(*list(STEPS)[:last])(x), randomized().double()(x)) < 1e-10


def test_operators_are_fused_after_the_layer_scales():
    x = images()
    fused = apply("fold_layer_scales", "fuse_operators")
    assert relative(fused(x), randomized().double()(x)) < 1e-10


@pytest.mark.parametrize("steps", [[], ["fold_layer_scales", "fuse_operators"]])
def test_an_mlp_in_parts_is_exact(steps):
    model, x = apply(*steps[:1]), images()
    with torch.no_grad():
        passes.split_mlp(model, part_bytes=1, least_channels=8)
        assert [len(mlp.parts) for mlp in split_parts(model)] == [2, 4, 4, 4, 4]
        for name in steps[1:]:
            STEPS[name](model)
    assert relative(model(x), randomized().double()(x)) < 1e-10


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("van_b0", [[64] * 4, [256] * 2]),
        ("van_b2", [[64] * 8, [256] * 4, [640] * 2]),
        ("van_b6", [[96] * 8, [192] * 8, [768] * 2]),  # halves of 96 would be too few channels
    ],
)
def test_mlps_are_halved_down_to_size(name, channels):
    model = random_weights(replace(ARCHITECTURES[name], depths=(1, 1, 1, 1)))
    passes.split_mlp(model)
    parts = [[part.fc1.out_channels for part in mlp.parts] for mlp in split_parts(model)]
    assert parts == channels


@pytest.mark.parametrize("size", [(9, 9), (7, 14), (1, 2), (3, 5)])
def test_regrouping_is_undone_exactly(size):
    x = images(size)
    assert torch.equal(passes.ungroup(passes.regroup(x, 3), 3, x.shape), x)
