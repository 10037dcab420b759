"""The benchmark and the trial of variants on a CUDA device: what they run, and where."""

from dataclasses import replace

import torch

from tests.fake_cuda.test_networks import VARIANTS, uninitialized
from tests.fake_cuda.trace import CUDA, Trace, fake_tensors
from tests.support.models import TINY
from vanbench.benchmark import bench
from vanbench.benchmark.ceiling import measure_ceiling, pointwise
from vanbench.devices import numerics
from vanbench.inference import autotune
from vanbench.inference.optimized import optimize


def test_the_trial_times_every_variant_on_the_gpu():
    model = uninitialized(replace(TINY, depths=(1,) * 4))
    images = autotune.trial_images(CUDA)
    assert images.shape == (64, 3, 224, 224)
    with fake_tensors(), numerics(CUDA, "fp32"), Trace() as trace:
        timed, failed = autotune.race(model, images, VARIANTS, CUDA)
    assert failed == {}
    assert list(timed) == list(VARIANTS)
    assert {each.logits.device for each in timed.values()} == {CUDA}
    assert not any(call.to_host or call.on_host for call in trace.calls)


def test_the_benchmark_runs_both_models_on_the_gpu():
    reference = uninitialized()
    with fake_tensors():
        reference = reference.to(CUDA)
        models = {"reference": reference, "optimized": optimize(reference)}
        x = bench._images(4, CUDA)
        assert (x.shape, x.device) == ((4, 3, 224, 224), CUDA)
        with numerics(CUDA, "fp16"), torch.inference_mode(), Trace() as trace:
            samples = bench.interleaved(models, x, seconds=0)
    assert [len(taken) for taken in samples.values()] == [bench.LEAST] * 2
    assert trace.off_gpu == []


def test_the_ceiling_is_measured_on_the_gpu():
    with fake_tensors(), numerics(CUDA, "fp32"), torch.inference_mode(), Trace() as trace:
        measure_ceiling(TINY, 64, CUDA)
    convolutions = trace.named("conv2d")
    assert {call.outputs[0].device for call in convolutions} == {CUDA}
    assert not any(call.to_host for call in trace.calls)
    shapes = {tuple(call.inputs[1].shape[:2]) for call in convolutions}
    assert shapes == {(shape.dim, shape.in_dim) for shape in pointwise(TINY, 64)}
    assert {len(call.inputs[0]) for call in convolutions} == {64, 256}
