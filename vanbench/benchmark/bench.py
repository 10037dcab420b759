"""Throughput, latency and memory of a VAN: the reference and its exact rewrite, side by side.

Both run in one process, taking turns, so that a drift of the machine's speed affects both. Every
sample is kept. The weights are random, because speed does not depend on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter, process_time

import torch
from torch import Tensor, nn

from vanbench.benchmark.ceiling import measure_ceiling, multiply_adds
from vanbench.benchmark.memory import high_water, in_new_process
from vanbench.benchmark.steps import Steps, ignore_seconds
from vanbench.benchmark.system_load import SystemLoad
from vanbench.devices import choose_device, cpu_threads, numerics, synchronize
from vanbench.environment import environment, today
from vanbench.evaluation.plan import ignore_message
from vanbench.inference.autotune import resolve_config
from vanbench.inference.optimized import compiled, optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_normal, random_weights
from vanbench.model.van import VAN
from vanbench.prediction_store.prediction import TOP
from vanbench.progress import Update, ignore
from vanbench.report.bench_records import (
    BatchFigures,
    BenchRecord,
    CeilingFigures,
    Latency,
    ModelFigures,
    Sample,
)
from vanbench.runtimes.registry import RUNTIMES

REFERENCE, OPTIMIZED = "reference", "optimized"
RESOLUTION = 224
LEAST, MOST = 3, 200  # samples of each model at one batch size
WARM_SECONDS, WARM_RUNS, STABLE = 1.0, 10, 0.1

Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True)
class BenchOptions:
    """How to measure; ``seconds`` is for the timed runs of one model, exceeded only by slow ones.

    ``threads`` None means as many CPU threads as torch has now. ``rewrite`` None lets a short
    trial decide.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "fp32"
    batch_size: int = 16
    seconds: float = 60.0
    threads: int | None = None
    compile: bool = False
    rewrite: RewriteConfig | None = None

    @property
    def batch_sizes(self) -> list[int]:
        """Batch 1 for latency, one between, and the largest."""
        return sorted({1, min(4, self.batch_size), self.batch_size})

    @property
    def runtime_batch_sizes(self) -> list[int]:
        """Batch 1 for latency, and the largest: many runtimes share the time."""
        return sorted({1, self.batch_size})


def bench_options(
    device: str,
    precision: str,
    batch_size: int | None,
    seconds: float,
    threads: int | None,
    *,
    compile: bool = False,
    rewrite: RewriteConfig | None = None,
) -> BenchOptions:
    """The options with the device resolved, and a batch size that suits it if none is given."""
    chosen = choose_device(device)
    batch_size = batch_size or (256 if chosen.type == "cuda" else 16)
    return BenchOptions(chosen, precision, batch_size, seconds, threads, compile, rewrite)


def bench(
    name: str,
    architecture: Architecture,
    options: BenchOptions,
    on_message: Callable[[str], None] = ignore_message,
    progress: Update = ignore,
) -> BenchRecord:
    """The full record of one model: figures, samples, configuration, ceiling, environment.

    ``on_message`` gets the outcome of the trial, ``progress`` how many seconds of work are done, of
    about how many, and what is measured now. Memory is measured in new processes, which import
    the script that calls this: its code must be under ``if __name__ == "__main__":``.
    DeviceError for int8, which torch does not compute in.
    """
    RUNTIMES[OPTIMIZED].refuse(options.device, options.precision)
    with cpu_threads(options.threads):
        return _bench(
            name,
            architecture,
            options,
            on_message,
            Steps(options.seconds, options.batch_sizes, progress),
        )


def _bench(
    name: str,
    architecture: Architecture,
    options: BenchOptions,
    on_message: Callable[[str], None],
    steps: Steps,
) -> BenchRecord:
    load = SystemLoad()
    device = options.device
    reference = random_weights(architecture).to(device)
    config = resolve_config(options.rewrite, device, options.precision, options.compile, on_message)
    models = {REFERENCE: reference, OPTIMIZED: _optimized(reference, config, options)}
    with numerics(device, options.precision), torch.inference_mode():
        samples = {
            batch: interleaved(
                models, _images(batch, device), _share(options), steps.of_batch(batch)
            )
            for batch in options.batch_sizes
        }
        steps.rest(0, "convolutions alone")
        error, same_top5 = compare_logits(models, _images(options.batch_size, device))
        ceiling = measure_ceiling(architecture, RESOLUTION, device)
    table = {batch: summarize(batch, taken) for batch, taken in samples.items()}
    headline = table[options.batch_size]
    peaks = {}
    for number, kind in enumerate((REFERENCE, OPTIMIZED), 1):
        steps.rest(number, "memory")
        peaks[kind] = peak_memory(architecture, options, config, kind)
    figures = {
        kind: ModelFigures(
            images_per_s=rate,
            latency_ms=percentiles([seconds for seconds, _ in samples[1][kind]]),
            peak_memory=peaks[kind],
        )
        for kind, rate in ((REFERENCE, headline.reference), (OPTIMIZED, headline.optimized))
    }
    return BenchRecord(
        name=name,
        architecture=architecture,
        weights="drawn",
        resolution=RESOLUTION,
        device=device.type,
        precision=options.precision,
        batch_size=options.batch_size,
        compile=options.compile,
        choices=config,
        reference=figures[REFERENCE],
        optimized=figures[OPTIMIZED],
        speedup=headline.speedup,
        max_relative_error=error,
        same_top5=same_top5,
        batch_sizes=tuple(table.values()),
        ceiling=CeilingFigures(
            macs=multiply_adds(architecture, RESOLUTION),
            pointwise_gmacs_per_s=ceiling.gmacs_per_s,
            images_per_s=ceiling.images_per_s,
            fraction=headline.optimized / ceiling.images_per_s,
        ),
        load=load.summary(),
        samples_s_cpu_s={
            str(batch): {kind: tuple(of_kind) for kind, of_kind in taken.items()}
            for batch, taken in samples.items()
        },
        date=today(),
        environment=environment(device),
    )


def interleaved(
    models: Mapping[str, nn.Module],
    x: Tensor,
    seconds: float,
    on_round: Callable[[float], None] = ignore_seconds,
) -> dict[str, list[Sample]]:
    """Forward passes of each model on ``x``, taken in turns after a warm-up.

    Stops after about ``seconds``, with at least 3 and at most 200 samples of each. ``on_round`` is
    called between the rounds with how many of the seconds are over.
    """
    on_round(0.0)
    for model in models.values():
        warm_up(model, x)
    samples: dict[str, list[Sample]] = {name: [] for name in models}
    end = perf_counter() + seconds
    for taken in range(MOST):
        now = perf_counter()
        if taken >= LEAST and now > end:
            break
        on_round(min(seconds, seconds - (end - now)))
        for name, model in models.items():
            samples[name].append(sample(model, x))
    return samples


def warm_up(model: nn.Module, x: Tensor) -> int:
    """Run until two durations in a row agree within 10 %, for a second or ten times; how often."""
    start, last = perf_counter(), duration(model, x)
    for runs in range(2, WARM_RUNS + 1):
        if perf_counter() - start > WARM_SECONDS:
            return runs - 1
        now = duration(model, x)
        if abs(now - last) <= STABLE * last:
            return runs
        last = now
    return WARM_RUNS


def sample(model: nn.Module, x: Tensor) -> Sample:
    """One forward pass, until the device is done: seconds, and seconds of the processors.

    The second hardly depends on what else the machine does, but does not see idle cores.
    """
    start, computed = perf_counter(), process_time()
    model(x)
    synchronize(x.device)
    return perf_counter() - start, process_time() - computed


def duration(model: nn.Module, x: Tensor) -> float:
    """Seconds of one forward pass."""
    return sample(model, x)[0]


def compare_logits(models: Mapping[str, nn.Module], x: Tensor) -> tuple[float, bool]:
    """How far the optimised logits are from the reference's, relative to the largest of these.

    And whether the five best classes and their order are the same.
    """
    return compare(*(models[kind](x).float() for kind in (REFERENCE, OPTIMIZED)))


def compare(expected: Tensor, found: Tensor) -> tuple[float, bool]:
    """The largest difference of two logits, relative to the largest of the expected ones.

    And whether the five best classes and their order are the same for every image.
    """
    assert expected.isfinite().all(), "the random weights must give finite logits"
    top = min(TOP, expected.shape[1])
    same = torch.equal(expected.topk(top).indices, found.topk(top).indices)
    error = (found - expected).abs().max() / expected.abs().max()
    return float(error), same


def summarize(batch: int, samples: Samples) -> BatchFigures:
    """Images per second at the median of each model, and their ratios."""
    seconds = {kind: median(s for s, _ in taken) for kind, taken in samples.items()}
    computed = {kind: median(cpu for _, cpu in taken) for kind, taken in samples.items()}
    pairs = zip(samples[REFERENCE], samples[OPTIMIZED], strict=True)
    lower, _, upper = quantiles([a[0] / b[0] for a, b in pairs], n=4, method="inclusive")
    return BatchFigures(
        batch_size=batch,
        reference=batch / seconds[REFERENCE],
        optimized=batch / seconds[OPTIMIZED],
        speedup=seconds[REFERENCE] / seconds[OPTIMIZED],
        speedup_range=(lower, upper),
        cpu_speedup=computed[REFERENCE] / computed[OPTIMIZED],
        samples=len(samples[REFERENCE]),
    )


def percentiles(samples: Sequence[float]) -> Latency:
    """The percentiles of durations in seconds.

    >>> percentiles([0.001, 0.002, 0.003]).p50
    2.0
    """
    cuts = quantiles(samples, n=100, method="inclusive")
    return Latency(*(1e3 * cuts[percent - 1] for percent in (50, 95, 99)))


def peak_memory(
    architecture: Architecture, options: BenchOptions, config: RewriteConfig, kind: str
) -> int | None:
    """Bytes that a model and one batch take at most, measured in a pass and process of its own.

    On the CPU it is the growth of resident memory over a process that has only loaded torch, with
    making the model; on CUDA it is what torch allocated on the device. None on other devices,
    whose allocations neither counter shows.
    """
    return in_new_process(_peak, architecture, options, config, kind)


def _peak(
    architecture: Architecture, options: BenchOptions, config: RewriteConfig, kind: str
) -> int | None:
    before = high_water()
    model: nn.Module = random_weights(architecture).to(options.device)
    if kind == OPTIMIZED:
        assert isinstance(model, VAN)
        model = _optimized(model, config, options)
    with (
        cpu_threads(options.threads),
        numerics(options.device, options.precision),
        torch.inference_mode(),
    ):
        duration(model, _images(options.batch_size, options.device))
    if options.device.type == "cuda":
        return torch.cuda.max_memory_allocated(options.device)
    after = high_water() if options.device.type == "cpu" else None
    return None if before is None or after is None else after - before


def _optimized(reference: VAN, config: RewriteConfig, options: BenchOptions) -> nn.Module:
    if options.compile:
        return compiled(reference, config=config)
    return optimize(reference, config=config, precision=options.precision)


def _images(batch: int, device: torch.device) -> Tensor:
    return draw_images(batch, RESOLUTION, device)


def draw_images(batch: int, side: int, device: torch.device) -> Tensor:
    """The same random images each time, (batch, 3, side, side)."""
    generator = torch.Generator().manual_seed(batch)
    return random_normal(batch, 3, side, side, generator=generator).to(device)


def _share(options: BenchOptions) -> float:
    return options.seconds / len(options.batch_sizes)
