"""Speed of a VAN in several runtimes and precisions, each in a process of its own, in turns.

Their libraries keep threads and memory that would disturb each other in one process. A new process
also shows how long it takes to the first batch, and how much memory.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import psutil
import torch
from torch import Tensor

from vanbench.benchmark.bench import (
    LEAST,
    MOST,
    RESOLUTION,
    BenchOptions,
    compare,
    percentiles,
)
from vanbench.benchmark.runtime_cases import FIRST, Case, cases, not_measured
from vanbench.benchmark.runtime_process import Job, RuntimeProcess, Started
from vanbench.benchmark.runtime_steps import RuntimeSteps
from vanbench.benchmark.system_load import SystemLoad
from vanbench.benchmark.workers import Worker
from vanbench.devices import cpu_threads
from vanbench.environment import environment, today
from vanbench.errors import InternalError, VanbenchError, as_vanbench_error
from vanbench.evaluation.plan import ignore_message
from vanbench.inference.autotune import resolve_config
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_weights
from vanbench.progress import Update, ignore, size_of
from vanbench.report.bench_records import Sample
from vanbench.report.runtime_records import (
    ALL,
    FAILED,
    MEASURED,
    RuntimeFigures,
    RuntimeRow,
    RuntimesRecord,
    StartUp,
)
from vanbench.runtimes import names
from vanbench.runtimes.registry import RUNTIMES

PAUSE = 0.005  # seconds before each pass: as long as idle threads of the last one look for work


@dataclass
class Run:
    """One runtime in one precision, in its process, and what is known of it."""

    worker: Worker
    choices: RewriteConfig | None
    start_up: StartUp
    peak_memory: int | None
    logits: Tensor
    samples: dict[int, list[Sample]] = field(default_factory=dict)


def bench_runtimes(
    name: str,
    architecture: Architecture,
    options: BenchOptions,
    runtime: str = ALL,
    precision: str | None = None,
    on_message: Callable[[str], None] = ignore_message,
    progress: Update = ignore,
) -> RuntimesRecord:
    """The record of one model in a runtime, or in ``all``, beside the reference in fp32.

    ``precision`` None is all that a runtime has on this machine. ``compiled`` is among ``all`` only
    if the options say ``compile``. A runtime that fails is a row of the record; DependencyError and
    DeviceError are raised for one that was named and cannot run. Otherwise as ``bench.bench``.
    """
    wanted = cases(runtime, precision, options)
    steps = RuntimeSteps(wanted, options.seconds, options.runtime_batch_sizes, progress)
    load = SystemLoad()
    with cpu_threads(options.threads), tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "model.pth"
        torch.save(random_weights(architecture).state_dict(), checkpoint)
        runs = _Runs(checkpoint, options, on_message)
        try:
            for case in wanted:
                steps.starting(case)
                runs.start(case)
            for batch in options.runtime_batch_sizes:
                runs.take_turns(batch, steps.of_batch(batch))
        finally:
            runs.end()
        found = environment(options.device)
    measured = [_row(case, runs, options.batch_size) for case in wanted]
    rows = [*measured, *not_measured(runtime, options)]
    order = list(names.NAMES)
    return RuntimesRecord(
        name=name,
        runtime=runtime,
        precision=precision,
        architecture=architecture,
        weights="random",
        resolution=RESOLUTION,
        device=options.device.type,
        batch_size=options.batch_size,
        rows=tuple(sorted(rows, key=lambda row: order.index(row.runtime))),
        load=load.summary(),
        date=today(),
        environment=found,
    )


class _Runs:
    """The runs of one model that have not failed, and why others have; the reference must not."""

    def __init__(self, checkpoint: Path, options: BenchOptions, on_message: Callable[[str], None]):
        self.checkpoint, self.options, self.on_message = checkpoint, options, on_message
        self.alive: dict[Case, Run] = {}
        self.failures: dict[Case, VanbenchError] = {}

    def start(self, case: Case) -> None:
        """Start the process of a case and compute its first batch."""
        choices = self._choices(case)
        job = Job(
            checkpoint=self.checkpoint,
            runtime=case.runtime,
            precision=case.precision,
            device=self.options.device,
            resolution=RESOLUTION,
            batch_size=self.options.batch_size,
            threads=torch.get_num_threads(),
            rewrite=choices,
        )
        worker = None
        try:
            self._check_memory()
            start = perf_counter()
            worker = Worker(RuntimeProcess, job)
            worker.made()
            started: Started = worker.ask("started")
            process_s = perf_counter() - start - started.seconds
            times = started.load_s, started.prepare_s, started.first_batch_s
            logits = torch.from_numpy(worker.ask("logits"))
            start_up = StartUp(process_s, *times)
            self.alive[case] = Run(worker, choices, start_up, started.peak_memory, logits)
        except Exception as error:  # whatever a runtime raises: it is this row's
            if worker is not None:
                worker.end()
            self._fail(case, error)

    def take_turns(self, batch: int, on_round: Callable[[float], None]) -> None:
        """Passes of each run after a warm-up, in turns, as ``bench.interleaved`` takes them."""
        seconds = self.options.seconds / len(self.options.runtime_batch_sizes)
        on_round(0.0)
        self._each(lambda run: run.worker.ask("warm_up", batch))
        end = perf_counter() + seconds
        for taken in range(MOST):
            now = perf_counter()
            if taken >= LEAST and now > end:
                break
            on_round(min(seconds, seconds - (end - now)))
            self._each(lambda run: self._sample(run, batch))

    def end(self) -> None:
        """End all processes."""
        for run in self.alive.values():
            run.worker.release()
        for run in self.alive.values():
            run.worker.end()

    def _choices(self, case: Case) -> RewriteConfig | None:
        compiled = case.runtime == names.COMPILED
        if not compiled and case.runtime != names.OPTIMIZED:
            return None
        given, device = self.options.rewrite, self.options.device
        return resolve_config(given, device, case.precision, compiled, self.on_message)

    def _each(self, work: Callable[[Run], object]) -> None:
        for case, run in list(self.alive.items()):
            try:
                work(run)
            except Exception as error:  # as in ``start``
                del self.alive[case]
                run.worker.end()
                self._fail(case, error)

    @staticmethod
    def _sample(run: Run, batch: int) -> None:
        sleep(PAUSE)
        run.samples.setdefault(batch, []).append(run.worker.ask("sample", batch))

    def _fail(self, case: Case, error: Exception) -> None:
        if case == FIRST:
            raise error
        self.failures[case] = _failure(error)

    def _check_memory(self) -> None:
        """VanbenchError if there is less free memory than the largest process has taken."""
        needed = max((run.peak_memory or 0 for run in self.alive.values()), default=0)
        free = psutil.virtual_memory().available
        if free < needed:
            raise VanbenchError(
                f"expected {size_of(needed)} of free memory for another process, found "
                f"{size_of(free)}",
                remedy="Name one --runtime, or close other programs.",
            )


def _failure(error: Exception) -> VanbenchError:
    """An exception of a runtime's library as an error; it is no bug of ours."""
    found = as_vanbench_error(error)
    if not isinstance(found, InternalError):
        return found
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return VanbenchError(f"the runtime failed: {lines[0].rstrip('.')}")


def _row(case: Case, runs: _Runs, batch: int) -> RuntimeRow:
    run, failure = runs.alive.get(case), runs.failures.get(case)
    assert run or failure
    return RuntimeRow(
        runtime=case.runtime,
        precision=case.precision,
        status=MEASURED if run else FAILED,
        reason=None if failure is None else str(failure),
        versions=RUNTIMES[case.runtime].versions(),
        choices=run.choices if run else None,
        figures=_figures(run, runs.alive[FIRST], batch) if run else None,
    )


def _figures(run: Run, reference: Run, batch: int) -> RuntimeFigures:
    error, same = compare(reference.logits, run.logits)
    seconds = _median(run.samples, batch)
    return RuntimeFigures(
        images_per_s=batch / seconds,
        speedup=_median(reference.samples, batch) / seconds,
        latency_ms=percentiles([taken for taken, _ in run.samples[1]]),
        peak_memory=run.peak_memory,
        start_up=run.start_up,
        max_relative_error=error,
        same_top5=same,
        samples_s_cpu_s={str(size): tuple(taken) for size, taken in run.samples.items()},
    )


def _median(samples: Mapping[int, list[Sample]], batch: int) -> float:
    return median(seconds for seconds, _ in samples[batch])
