"""Throughput, latency and memory of a VAN: the reference and its exact rewrite, side by side.

Both run in one process, turn by turn, so that a drift of the machine hits both. Every sample is
kept. The weights are drawn, for speed does not depend on them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vanbench.benchmark.ceiling import measure_ceiling, multiply_adds
from vanbench.benchmark.memory import high_water, in_new_process
from vanbench.checkpoints.load import build
from vanbench.environment import environment, today
from vanbench.evaluation.predict import TOP, choose_device, numerics
from vanbench.inference.autotune import settle_choices
from vanbench.inference.optimized import Choices, compiled, optimize
from vanbench.model.architecture import Architecture
from vanbench.model.van import VAN

REFERENCE, OPTIMIZED = "reference", "optimized"
RESOLUTION = 224
LEAST, MOST = 3, 200  # samples of each model at one batch size
WARM_SECONDS, WARM_RUNS, STABLE = 1.0, 10, 0.1


class Sample(NamedTuple):
    """One forward pass: seconds that went by, and seconds that this process's threads computed.

    The second hardly depends on what else the machine does, but does not see idle cores.
    """

    seconds: float
    cpu_seconds: float


Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True)
class Plan:
    """How to measure; ``seconds`` is for the timed runs of one model, exceeded only by slow ones.

    ``choices`` None lets a short trial decide.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "fp32"
    batch_size: int = 16
    seconds: float = 60.0
    compile: bool = False
    choices: Choices | None = None

    @property
    def batch_sizes(self) -> list[int]:
        """Batch 1 for latency, one between, and the one asked for."""
        return sorted({1, min(4, self.batch_size), self.batch_size})


def make_plan(
    device: str,
    precision: str,
    batch_size: int | None,
    seconds: float,
    threads: int | None,
    **rewrite: Any,
) -> Plan:
    """The plan that the options ask for; sets the number of threads of this process.

    ``rewrite`` is the plan's ``compile`` and ``choices``.
    """
    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device)
    batch_size = batch_size or (256 if chosen.type == "cuda" else 16)
    return Plan(chosen, precision, batch_size, seconds, **rewrite)


def bench(
    name: str,
    architecture: Architecture,
    plan: Plan,
    say: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """The full record of one model, as JSON: figures, samples, choices, ceiling, surroundings.

    ``say`` is told the outcome of the trial.
    """
    load = Load()
    reference = drawn(architecture).to(plan.device)
    choices = settle_choices(plan.choices, plan.device, plan.precision, plan.compile, say)
    models = {REFERENCE: reference, OPTIMIZED: _optimized(reference, choices, plan)}
    with numerics(plan.device, plan.precision), torch.inference_mode():
        samples = {
            batch: interleaved(models, _images(batch, plan.device), _share(plan))
            for batch in plan.batch_sizes
        }
        check = compare(models, _images(plan.batch_size, plan.device))
        ceiling = measure_ceiling(
            architecture, RESOLUTION, plan.device, lambda call: _synchronized(call, plan.device)
        )
    table = {batch: summarize(batch, taken) for batch, taken in samples.items()}
    headline = table[plan.batch_size]
    peaks = {kind: peak_memory(architecture, plan, choices, kind) for kind in models}
    latencies = {kind: percentiles([s.seconds for s in samples[1][kind]]) for kind in models}
    return {
        "name": name,
        "architecture": architecture.as_dict(),
        "weights": "drawn",
        "resolution": RESOLUTION,
        "device": plan.device.type,
        "precision": plan.precision,
        "batch_size": plan.batch_size,
        "compile": plan.compile,
        "choices": choices.as_dict(),
        **{
            kind: {
                "images_per_s": headline[kind],
                "latency_ms": latencies[kind],
                "peak_memory": peaks[kind],
            }
            for kind in models
        },
        "speedup": headline["speedup"],
        **check,
        "batch_sizes": [{"batch_size": batch, **row} for batch, row in table.items()],
        "ceiling": {
            "macs": multiply_adds(architecture, RESOLUTION),
            "pointwise_gmacs_per_s": ceiling.gmacs_per_s,
            "images_per_s": ceiling.images_per_s,
            "fraction": headline[OPTIMIZED] / ceiling.images_per_s,
        },
        "load": load.as_dict(),
        "samples_s_cpu_s": {str(batch): taken for batch, taken in samples.items()},
        "date": today(),
        "environment": environment(plan.device),
    }


def drawn(architecture: Architecture, seed: int = 0) -> VAN:
    """A VAN in eval mode whose weights, scales and statistics are all drawn from ``seed``.

    The layer scales are as small as where training starts (0.01): the gate squares what passes it,
    so that with larger ones the logits of a deep network overflow.
    """
    generator = torch.Generator().manual_seed(seed)
    model = build(architecture).eval().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif "layer_scale" in name:
            tensor.copy_(0.02 * torch.rand(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 100
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan_in**0.5)
    return model


def interleaved(
    models: Mapping[str, nn.Module], x: Tensor, seconds: float
) -> dict[str, list[Sample]]:
    """Forward passes of each model on ``x``, taken in turns after a warm-up.

    Stops after about ``seconds``, with at least 3 and at most 200 samples of each.
    """
    for model in models.values():
        warm_up(model, x)
    samples: dict[str, list[Sample]] = {name: [] for name in models}
    end = perf_counter() + seconds
    for taken in range(MOST):
        if taken >= LEAST and perf_counter() > end:
            break
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
    """One forward pass, until the device is done."""
    start, computed = perf_counter(), process_time()
    _synchronized(lambda: model(x), x.device)
    return Sample(perf_counter() - start, process_time() - computed)


def duration(model: nn.Module, x: Tensor) -> float:
    """Seconds of one forward pass."""
    return sample(model, x).seconds


def compare(models: Mapping[str, nn.Module], x: Tensor) -> dict[str, Any]:
    """How far the optimised logits are from the reference's, relative to the largest of these."""
    expected, found = (models[kind](x).float() for kind in (REFERENCE, OPTIMIZED))
    assert expected.isfinite().all(), "the drawn weights must give finite logits"
    top = min(TOP, expected.shape[1])
    same = torch.equal(expected.topk(top).indices, found.topk(top).indices)
    error = (found - expected).abs().max() / expected.abs().max()
    return {"max_relative_error": float(error), "same_top5": same}


def summarize(batch: int, samples: Samples) -> dict[str, Any]:
    """Images per second at the median of each model, and the speed-up as the ratio of medians.

    ``speedup_range`` is the middle half of the ratios of neighbouring samples, ``cpu_speedup`` the
    ratio of the medians of the processors' time.
    """
    seconds = {kind: median(s.seconds for s in taken) for kind, taken in samples.items()}
    computed = {kind: median(s.cpu_seconds for s in taken) for kind, taken in samples.items()}
    pairs = zip(samples[REFERENCE], samples[OPTIMIZED], strict=True)
    lower, _, upper = quantiles([a.seconds / b.seconds for a, b in pairs], n=4, method="inclusive")
    return {
        **{kind: batch / s for kind, s in seconds.items()},
        "speedup": seconds[REFERENCE] / seconds[OPTIMIZED],
        "speedup_range": [lower, upper],
        "cpu_speedup": computed[REFERENCE] / computed[OPTIMIZED],
        "samples": len(samples[REFERENCE]),
    }


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """The 50th, 95th and 99th percentile, in milliseconds.

    >>> percentiles([0.001, 0.002, 0.003])["p50"]
    2.0
    """
    cuts = quantiles(samples, n=100, method="inclusive")
    return {f"p{percent}": 1e3 * cuts[percent - 1] for percent in (50, 95, 99)}


def peak_memory(architecture: Architecture, plan: Plan, choices: Choices, kind: str) -> int | None:
    """Bytes that a model and one batch take at most, measured in a pass and process of its own.

    On the CPU it is the growth of resident memory over a process that has only loaded torch, with
    making the model; on CUDA it is what torch allocated on the device.
    """
    return in_new_process(_peak, architecture, plan, choices, kind)


def _peak(architecture: Architecture, plan: Plan, choices: Choices, kind: str) -> int | None:
    before = high_water()
    model: nn.Module = drawn(architecture).to(plan.device)
    if kind == OPTIMIZED:
        assert isinstance(model, VAN)
        model = _optimized(model, choices, plan)
    with numerics(plan.device, plan.precision), torch.inference_mode():
        duration(model, _images(plan.batch_size, plan.device))
    if plan.device.type == "cuda":
        return torch.cuda.max_memory_allocated(plan.device)
    after = high_water()
    return None if before is None or after is None else after - before


class Load:
    """What else the machine's cores did since this was made, from Linux's own accounts."""

    def __init__(self) -> None:
        self.average = os.getloadavg()[0]
        self.started, self.busy, self.own = perf_counter(), _busy_seconds(), _own_seconds()

    def as_dict(self) -> dict[str, Any]:
        """The load average at the start and the number of cores that others kept busy since."""
        busy, other = _busy_seconds(), None
        if busy is not None and self.busy is not None:
            others = busy - self.busy - (_own_seconds() - self.own)
            other = max(0.0, others / (perf_counter() - self.started))
        return {
            "load_average": self.average,
            "other_cores": other,
            "cores": len(os.sched_getaffinity(0)),
        }


def _busy_seconds() -> float | None:
    """Seconds of work of all cores since the machine started, with time stolen by its host."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, stat.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Seconds of work of this process and of those it has started and awaited."""
    return sum(os.times()[:4])


def _optimized(reference: VAN, choices: Choices, plan: Plan) -> nn.Module:
    return (compiled if plan.compile else optimize)(reference, choices=choices)


def _images(batch: int, device: torch.device) -> Tensor:
    """The same drawn images each time, (batch, 3, 224, 224)."""
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 3, RESOLUTION, RESOLUTION, generator=generator).to(device)


def _share(plan: Plan) -> float:
    return plan.seconds / len(plan.batch_sizes)


def _synchronized(call: Callable[[], Any], device: torch.device) -> None:
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
