"""Every step of the rewrite keeps the logits, alone where it can stand alone and all together."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from tests.support.models import TINY, randomized
from vanbench.inference import passes
from vanbench.inference.optimized import STEPS, _pool, optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights
from vanbench.typed_json import to_json

ALONE = [name for name in STEPS if name != "fuse_operators"]
SIZES = [(64, 64), (45, 77), (32, 130)]


def images(size=(64, 64), batch=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, *size, generator=generator, dtype=dtype)


def relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@torch.no_grad()
def apply(*names):
    model = randomized().double()
    for name in names:
        STEPS[name](model)
    return model


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


def split_parts(model):
    return [module for module in model.modules() if isinstance(module, passes.SplitMlp)]


def test_each_thread_of_the_pool_keeps_to_one_core(threads):
    threads(2)
    optimize(randomized(), config=RewriteConfig(micro_batch=1))(
        images(batch=4, dtype=torch.float32)
    )
    assert {_pool(2).submit(torch.get_num_threads).result() for _ in range(8)} == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("size", [(9, 9), (7, 14), (1, 2), (3, 5)])
def test_regrouping_is_undone_exactly(size):
    x = images(size)
    assert torch.equal(passes.ungroup(passes.regroup(x, 3), 3, x.shape), x)


@pytest.mark.parametrize(
    "choices",
    [
        RewriteConfig(),
        RewriteConfig(pack=False),
        RewriteConfig(part_bytes=0),
        RewriteConfig(regroup=(True, False, True, False)),
        RewriteConfig(micro_batch=2),
        RewriteConfig(micro_batch=0, parallel=False),
    ],
)
@pytest.mark.parametrize("batch", [1, 5])
def test_any_choice_gives_the_same_logits_in_float32(choices, batch):
    model, x = randomized(), images((65, 95), batch, torch.float32)
    expected = model(x)
    found = optimize(model, config=choices)(x)
    assert relative(found, expected) < 5e-5
    assert torch.equal(found.topk(5).indices, expected.topk(5).indices)


def test_all_steps_together_are_exact_in_float64():
    model, x = randomized().double(), images()
    assert relative(optimize(model)(x), model(x)) < 1e-10


def test_cores_with_micro_batches_of_their_own_give_the_same(threads):
    threads(2)
    model, x = randomized(), images(batch=7, dtype=torch.float32)
    apart = optimize(model, config=RewriteConfig(micro_batch=2))(x)
    together = optimize(model, config=RewriteConfig(micro_batch=2, parallel=False))(x)
    assert relative(apart, together) < 5e-5


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_autocast_reaches_the_threads(threads):
    threads(2)
    fast = optimize(randomized(), config=RewriteConfig(pack=False))
    with torch.autocast("cpu", torch.bfloat16):
        assert fast(images(dtype=torch.float32)).dtype == torch.bfloat16


def test_packed_weights_compute_in_float32_under_autocast(threads):
    threads(2)
    model, x = randomized(), images(batch=5, dtype=torch.float32)
    fast = optimize(model)
    with torch.autocast("cpu", torch.bfloat16):
        found = fast(x)
    assert relative(found, model(x)) < 5e-5


def test_a_packed_model_says_why_it_cannot_be_copied_or_saved(tmp_path):
    fast = optimize(randomized())
    assert fast.packed
    for attempt in (copy.deepcopy, lambda model: torch.save(model, tmp_path / "fast.pth")):
        with pytest.raises(TypeError, match="pack=False"):
            attempt(fast)
    copy.deepcopy(optimize(randomized(), config=RewriteConfig(pack=False)))


def test_the_callers_random_numbers_stay_as_they_are():
    model, before = random_weights(ARCHITECTURES["van_b0"]), torch.get_rng_state()
    optimize(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_given_model_stays_as_it_is():
    model, x = randomized(), images(dtype=torch.float32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimize(model)(x)
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_published_width_is_exact(name):
    """With one block a stage; depth repeats the block."""
    model = random_weights(replace(ARCHITECTURES[name], depths=(1, 1, 1, 1)))
    x = images(batch=1, dtype=torch.float32)
    assert relative(optimize(model)(x), model(x)) < 5e-5


def test_choices_come_back_from_their_json():
    choices = RewriteConfig(regroup=(True, False, True, False), micro_batch=2, parallel=False)
    assert RewriteConfig.from_json(json.dumps(to_json(choices))) == choices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"other": 1}', "unknown key 'other'"),
        ('{"pack": 1}', "key 'pack': Input should be a valid boolean, found 1"),
        ('{"micro_batch": -1}', "must be 0 or more"),
        ('{"part_bytes": true}', "key 'part_bytes': Input should be a valid integer, found True"),
        ('{"regroup": [true]}', "missing key 'regroup.1'"),
    ],
)
def test_choices_that_are_none_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        RewriteConfig.from_json(text)


def test_a_network_without_a_head_gives_the_same_features():
    model, x = randomized(replace(TINY, num_classes=0)), images(dtype=torch.float32)
    assert relative(optimize(model)(x), model(x)) < 5e-5
