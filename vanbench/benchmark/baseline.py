"""Throughput, latency and memory of a model of torchvision, which runs as it is.

It is measured like the reference VAN: random weights, the same batch sizes, every sample kept. The
weights are in channels-last layout, as in a validation.
"""

from statistics import median

import torch
from torch import nn

from vanbench.benchmark.bench import (
    REFERENCE,
    BenchOptions,
    duration,
    interleaved,
    percentiles,
)
from vanbench.benchmark.memory import high_water, in_new_process
from vanbench.benchmark.steps import Steps
from vanbench.benchmark.system_load import SystemLoad
from vanbench.devices import cpu_threads, numerics
from vanbench.environment import environment, today
from vanbench.model.build import random_normal
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.model.torchvision_models import random_torchvision
from vanbench.progress import Update, ignore
from vanbench.report.baseline_records import BaselineRecord
from vanbench.report.bench_records import ModelFigures


def bench_baseline(
    name: str,
    architecture: TorchvisionArchitecture,
    resolution: int,
    options: BenchOptions,
    progress: Update = ignore,
) -> BaselineRecord:
    """The full record of one model at ``resolution`` × ``resolution``.

    ``progress`` is as for ``bench.bench``; memory is measured in a new process, as there.
    """
    load, steps = SystemLoad(), Steps(options.seconds, options.batch_sizes, progress)
    share = options.seconds / len(options.batch_sizes)
    with cpu_threads(options.threads):
        model = _ready(architecture, options)
        with numerics(options.device, options.precision), torch.inference_mode():
            samples = {
                batch: interleaved(
                    {REFERENCE: model},
                    _images(batch, resolution, options),
                    share,
                    steps.of_batch(batch),
                )[REFERENCE]
                for batch in options.batch_sizes
            }
        steps.rest(1, "memory")
        peak = in_new_process(_peak, architecture, resolution, options)
        found = environment(options.device)
    return BaselineRecord(
        name=name,
        architecture=architecture,
        weights="random",
        resolution=resolution,
        device=options.device.type,
        precision=options.precision,
        batch_size=options.batch_size,
        reference=ModelFigures(
            images_per_s=options.batch_size
            / median(seconds for seconds, _ in samples[options.batch_size]),
            latency_ms=percentiles([seconds for seconds, _ in samples[1]]),
            peak_memory=peak,
        ),
        load=load.summary(),
        samples_s_cpu_s={str(batch): tuple(taken) for batch, taken in samples.items()},
        date=today(),
        environment=found,
    )


def _ready(architecture: TorchvisionArchitecture, options: BenchOptions) -> nn.Module:
    model = random_torchvision(architecture).to(options.device)
    return model.to(memory_format=torch.channels_last)


def _images(batch: int, resolution: int, options: BenchOptions) -> torch.Tensor:
    generator = torch.Generator().manual_seed(batch)
    return random_normal(batch, 3, resolution, resolution, generator=generator).to(options.device)


def _peak(
    architecture: TorchvisionArchitecture, resolution: int, options: BenchOptions
) -> int | None:
    """Bytes that the model and one batch take at most, as ``bench.peak_memory`` measures them."""
    before = high_water()
    model = _ready(architecture, options)
    with (
        cpu_threads(options.threads),
        numerics(options.device, options.precision),
        torch.inference_mode(),
    ):
        duration(model, _images(options.batch_size, resolution, options))
    if options.device.type == "cuda":
        return torch.cuda.max_memory_allocated(options.device)
    after = high_water() if options.device.type == "cpu" else None
    return None if before is None or after is None else after - before
