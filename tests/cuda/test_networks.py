"""On a GPU: the logits are the CPU's, in every variant and precision, and nothing waits for them."""

from dataclasses import replace

import pytest
import torch

from tests.cuda.device import CUDA, MARKS
from tests.fake_cuda.trace import Trace, is_channels_last
from tests.support.models import TINY, images, randomized, relative
from vanbench.devices import TORCH_PRECISIONS, numerics
from vanbench.inference.autotune import candidates
from vanbench.inference.optimized import compiled, default_config, optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights

pytestmark = MARKS

VARIANTS = candidates(default_config(CUDA), CUDA)
BOUNDS = {"fp32": 1e-4, "tf32": 2e-2, "bf16": 1e-1, "fp16": 2e-2}  # relative to the largest logit


def forward(network, x, precision="fp32"):
    with numerics(CUDA, precision), torch.inference_mode():
        return network(x.to(CUDA)).cpu()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("micro_batch", [0, 2])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 5e-5)])
def test_the_rewrite_keeps_the_logits(name, micro_batch, dtype, bound):
    model = randomized().to(CUDA, dtype)
    x = images((65, 95), 5, dtype)
    fast = optimize(model, config=replace(VARIANTS[name], micro_batch=micro_batch))
    assert relative(forward(fast, x), forward(model, x)) < bound


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_are_the_cpus(name):
    """Within 1e-4, and the first class is the same but where two are as close as that."""
    model = random_weights(ARCHITECTURES[name])
    x = images((224, 224), 4, torch.float32)
    with numerics(torch.device("cpu"), "fp32"):
        expected = model(x)
    reference = model.to(CUDA)
    networks = {v: optimize(reference, config=config) for v, config in VARIANTS.items()}
    for network in (reference, *networks.values()):
        found = forward(network, x)
        assert relative(found, expected) < BOUNDS["fp32"]
        other = found.argmax(1, keepdim=True)
        behind = expected.amax(1, keepdim=True) - expected.gather(1, other)
        assert bool((behind < 2 * BOUNDS["fp32"] * expected.abs().max()).all())


@pytest.mark.parametrize("name", ["reference", *VARIANTS])
@pytest.mark.parametrize("precision", TORCH_PRECISIONS)
def test_every_precision_is_near_fp32(name, precision):
    reference = random_weights(ARCHITECTURES["van_b1"])
    x = images((224, 224), 4, torch.float32)
    with numerics(torch.device("cpu"), "fp32"):
        expected = reference(x)
    network = reference.to(CUDA)
    if name in VARIANTS:
        network = optimize(network, config=VARIANTS[name])
    assert relative(forward(network, x, precision).float(), expected) < BOUNDS[precision]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("precision", TORCH_PRECISIONS)
def test_the_rewrite_is_channels_last_and_nothing_waits(name, precision):
    network = optimize(randomized().to(CUDA), config=VARIANTS[name])
    x = images((65, 95), 5, torch.float32).to(CUDA)
    forward(network, x, precision)  # Triton compiles, and cuDNN chooses its algorithms
    torch.cuda.set_sync_debug_mode("error")
    try:
        with numerics(CUDA, precision), torch.inference_mode(), Trace() as trace:
            network(x)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    layers = trace.named("conv2d", "convolution", "depthwise")
    assert len(layers) >= 40
    assert all(is_channels_last(call.inputs[0]) for call in layers)
    assert all(is_channels_last(call.outputs[0]) for call in layers)


def test_a_compiled_network_gives_the_same():
    model = randomized(TINY).to(CUDA)
    x = images((64, 64), 4, torch.float32)
    config = RewriteConfig(pack=False, part_bytes=0, micro_batch=0, parallel=False)
    assert relative(forward(compiled(model, config=config), x), forward(model, x)) < 5e-5
