"""The networks on a CUDA device: where they compute, in which types and layouts."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from tests.fake_cuda.trace import CUDA, Trace, fake_tensors, is_channels_last
from tests.support.models import TINY
from vanbench.devices import TORCH_PRECISIONS, numerics
from vanbench.inference.autotune import candidates
from vanbench.inference.optimized import default_config, optimize
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import build_uninitialized
from vanbench.runtimes.choose import as_asked
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import OPTIMIZED, REFERENCE

VARIANTS = candidates(default_config(CUDA), CUDA)
TYPES = dict(
    zip(TORCH_PRECISIONS, (torch.float32,) * 2 + (torch.bfloat16, torch.float16), strict=True)
)
LAYERS = ("conv2d", "linear", "depthwise")
FULL = [pytest.param(name, False, marks=pytest.mark.slow) for name in ARCHITECTURES]
SHORT = [(name, True) for name in ARCHITECTURES]


def uninitialized(architecture=TINY):
    """On the CPU, in memory that nothing touches."""
    return build_uninitialized(architecture).to_empty(device="cpu").eval().requires_grad_(False)


def forward(network, precision="fp32", size=(3, 3, 224, 224)):
    """The trace of one forward pass, and its logits."""
    x = torch.empty(size, device=CUDA)
    with numerics(CUDA, precision), torch.inference_mode(), Trace() as trace:
        logits = network(x)
    return trace, logits


@pytest.mark.parametrize("runtime", [REFERENCE, OPTIMIZED])
@pytest.mark.parametrize(("name", "short"), SHORT + FULL)
def test_every_published_network_computes_on_the_gpu_alone(name, short, runtime):
    """By default with one block a stage; depth repeats the block."""
    published = ARCHITECTURES[name]
    model = uninitialized(replace(published, depths=(1,) * 4) if short else published)
    with fake_tensors():
        with Trace() as moved:
            setting = Setting(CUDA, rewrite=default_config(CUDA))
            network, _ = as_asked(model.to(CUDA), setting, runtime)
        trace, logits = forward(network)
    assert not any(call.to_host or call.on_host for call in moved.calls)
    assert trace.off_gpu == []
    assert {t.device for call in trace.calls for t in call.inputs + call.outputs} == {CUDA}
    assert (logits.shape, logits.dtype) == ((3, published.num_classes), torch.float32)


@cache
def traced(name, precision="fp32", size=(2, 3, 65, 95)):
    """A forward pass of the reference, or of a variant of the rewrite."""
    model, config = uninitialized(), VARIANTS.get(name)
    with fake_tensors():
        model = model.to(CUDA)
        return forward(optimize(model, config=config) if config else model, precision, size)


@pytest.mark.parametrize("name", ["reference", *VARIANTS])
@pytest.mark.parametrize("precision", TORCH_PRECISIONS)
def test_every_layer_computes_in_the_type_of_the_precision(name, precision):
    trace, logits = traced(name, precision)
    assert trace.off_gpu == []
    layers = trace.named(*LAYERS)
    assert len(layers) == 4 + 8 * 5 + 1  # patch embeddings, five blocks, head
    assert {call.outputs[0].dtype for call in layers} == {TYPES[precision]}
    assert (logits.shape, logits.dtype) == ((2, 10), TYPES[precision])


@pytest.mark.parametrize("name", ["reference", *VARIANTS])
def test_one_image_of_the_smallest_size(name):
    trace, logits = traced(name, size=(1, 3, 32, 32))
    assert trace.off_gpu == []
    assert logits.shape == (1, 10)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("precision", TORCH_PRECISIONS)
def test_the_sums_of_the_rewrite_are_float32(name, precision):
    """A smaller type would round each block's sum, and float16 would overflow."""
    trace, _ = traced(name, precision)
    sums = trace.named("add_", "addcmul")
    assert len(sums) == 3 * 5
    assert {call.outputs[0].dtype for call in sums} == {torch.float32}


@pytest.mark.skipif(not torch.backends.cudnn.is_available(), reason="torch without cuDNN")
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])  # bf16 needs the GPU's properties
def test_the_rewrite_is_channels_last_throughout(name, precision):
    trace, _ = traced(name, precision)
    layers = trace.named("conv2d", "depthwise")
    assert layers
    assert all(is_channels_last(call.inputs[0]) for call in layers)
    assert all(is_channels_last(call.outputs[0]) for call in layers)


def test_the_triton_variant_runs_every_depthwise_convolution_in_its_kernel():
    if "triton" not in VARIANTS:
        pytest.skip("torch without Triton")
    trace, _ = traced("triton")
    assert len(trace.named("depthwise")) == 3 * 5
    assert len(trace.named("gelu_", "gelu")) == 5  # the MLPs' are in the kernel
