"""One runtime in a process of its own: starts up once, then computes what it is asked for."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from vanbench.benchmark.bench import draw_images, duration, sample, warm_up
from vanbench.benchmark.memory import high_water
from vanbench.checkpoints.load import load_model
from vanbench.devices import AUTOCAST, cpu_threads, numerics
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report.bench_records import Sample
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.registry import RUNTIMES

CALIBRATION_IMAGES = 32


@dataclass(frozen=True)
class Job:
    """What a process is to compute; ``checkpoint`` is the file of the model's weights."""

    checkpoint: Path
    runtime: str
    precision: str
    device: torch.device
    resolution: int
    batch_size: int
    threads: int
    rewrite: RewriteConfig | None


@dataclass(frozen=True)
class Started:
    """Seconds of the parts of starting up, and bytes that the process took at most.

    ``seconds`` is all of it, with drawing the images.
    """

    seconds: float
    load_s: float
    prepare_s: float
    first_batch_s: float
    peak_memory: int | None


class RuntimeProcess:
    """A model in a runtime; ``started`` says what starting up took."""

    def __init__(self, job: Job):
        # What torch compiles goes to a new folder, so that it finds nothing that is compiled.
        kept = job.checkpoint.parent / f"{job.runtime}-{job.precision}"
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(kept)
        before = high_water()
        self._job, self._images = job, dict[int, Tensor]()
        self._around = ExitStack()
        self._around.enter_context(cpu_threads(job.threads))
        precision = job.precision if job.precision in AUTOCAST else "fp32"
        self._around.enter_context(numerics(job.device, precision))
        self._around.enter_context(torch.inference_mode())
        start = perf_counter()
        model = load_model(job.checkpoint).to(job.device)
        loaded = perf_counter()
        setting = Setting(job.device, job.precision, job.resolution, job.rewrite, _calibration(job))
        drawn = perf_counter()
        self._module = RUNTIMES[job.runtime].prepare(model, setting)
        prepared = perf_counter()
        first = duration(self._module, self._of(job.batch_size))
        peak = _peak(job.device, before)
        whole = perf_counter() - start
        self._started = Started(whole, loaded - start, prepared - drawn, first, peak)

    def started(self) -> Started:
        """What starting up took."""
        return self._started

    def warm_up(self, batch: int) -> int:
        """Run until the durations are stable; how often."""
        return warm_up(self._module, self._of(batch))

    def sample(self, batch: int) -> Sample:
        """One forward pass."""
        return sample(self._module, self._of(batch))

    def logits(self) -> Any:
        """The logits of the largest batch, as float32 of NumPy."""
        return self._module(self._of(self._job.batch_size)).float().cpu().numpy()

    def _of(self, batch: int) -> Tensor:
        if batch not in self._images:
            self._images[batch] = draw_images(batch, self._job.resolution, self._job.device)
        return self._images[batch]


def _calibration(job: Job) -> Tensor | None:
    """Random images for int8: its speed does not depend on them, its accuracy would."""
    if job.precision != "int8":
        return None
    return draw_images(CALIBRATION_IMAGES, job.resolution, torch.device("cpu"))


def _peak(device: torch.device, before: int | None) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    after = high_water() if device.type == "cpu" else None
    return None if before is None or after is None else after - before
