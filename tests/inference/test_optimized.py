"""The optimized model: the same logits whatever its config, and a host program left as it was."""

import copy
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tests.support.models import TINY, images, randomized, relative
from vanbench.inference.optimized import _pool, compiled, optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights


def test_each_thread_of_the_pool_keeps_to_one_core(threads):
    threads(2)
    optimize(randomized(), config=RewriteConfig(micro_batch=1))(
        images(batch=4, dtype=torch.float32)
    )
    assert {_pool(2, os.getpid()).submit(torch.get_num_threads).result() for _ in range(8)} == {1}
    assert torch.get_num_threads() == 2


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


def test_a_network_without_a_head_gives_the_same_features():
    model, x = randomized(replace(TINY, num_classes=0)), images(dtype=torch.float32)
    assert relative(optimize(model)(x), model(x)) < 5e-5


class Wrapper(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


@pytest.mark.parametrize("function", [optimize, compiled])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.nn.Linear(2, 2), "found torch.nn.modules.linear.Linear. Load one with"),
        (lambda: optimize(randomized()), "OptimizedVAN. It is optimized already."),
        (lambda: Wrapper(randomized()), r"Wrapper. Pass its \.module\."),
        (lambda: torch.compile(randomized()), r"OptimizedModule. Pass its \._orig_mod\."),
        (lambda: randomized().state_dict(), "found collections.OrderedDict."),
        (lambda: "van_b0", "found builtins.str."),
        (lambda: None, "found builtins.NoneType."),
    ],
)
def test_something_that_is_not_a_van_is_refused_with_advice(function, make, words):
    with pytest.raises(TypeError, match=words) as caught:
        function(make())
    assert str(caught.value).startswith("expected a VAN, ")


FORK = """
import os, torch
from tests.support.models import images, randomized
from vanbench.inference.optimized import optimize
from vanbench.inference.rewrite_config import RewriteConfig

torch.set_num_threads(2)
fast = optimize(randomized(), config=RewriteConfig(micro_batch=1))
x = images(dtype=torch.float32)
expected = fast(x)
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(fast(x), expected) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_computes_too():
    """It has none of the threads that its parent started."""
    assert subprocess.run([sys.executable, "-c", FORK], timeout=60, check=False).returncode == 0


def test_torchs_settings_stay_as_they_are(threads):
    threads(2)

    def settings():
        return (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_float32_matmul_precision(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_rng_state().tolist(),
        )

    before = settings()
    optimize(randomized(), config=RewriteConfig(micro_batch=1))(images(dtype=torch.float32))
    assert settings() == before
