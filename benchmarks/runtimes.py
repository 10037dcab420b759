"""Ratios of runtimes, in processes that take turns, and the time to the first stored batch."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.material import checkpoint
from vanbench.benchmark.bench import RESOLUTION, draw_images, sample, warm_up
from vanbench.benchmark.runtimes import PAUSE
from vanbench.benchmark.workers import Worker
from vanbench.devices import numerics
from vanbench.inference.autotune import resolve_config
from vanbench.inference.trial_cache import TrialCache
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import random_weights
from vanbench.model.van import VAN
from vanbench.prediction_store.store import FILE
from vanbench.report.bench_records import Sample
from vanbench.runtimes.choose import as_asked, choose
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import OPTIMIZED
from vanbench.typed_json import Json

CPU = torch.device("cpu")
PEER, DEFAULT, WITHOUT_EXTRAS, BF16 = KINDS = ("peer", "default", "optimized", "optimized bf16")
ROUNDS = 5  # at least


def ratios(name: str, seconds: float, batch: int = 16, kinds: Sequence[str] = KINDS) -> Json:
    """Samples of the peer and of vanbench's ways to compute, and the ratios of their medians.

    ``default`` is what a validation chooses with all extras installed, ``optimized`` without.
    """
    with ExitStack() as stack:
        workers = {kind: Worker(Computing, name, kind, batch) for kind in kinds}
        for worker in workers.values():
            stack.callback(worker.end)
        for worker in workers.values():
            worker.made()
            worker.ask("warm_up")
        taken = in_turns({kind: worker.ask for kind, worker in workers.items()}, seconds)
        chosen = {kind: worker.ask("runtime") for kind, worker in workers.items()}
    speed = {kind: batch / median(s for s, _ in of_kind) for kind, of_kind in taken.items()}
    return {
        "batch_size": batch,
        "runtimes": chosen,
        "images_per_s": speed,
        "over_peer": {kind: speed[kind] / speed[PEER] for kind in kinds},
        "bf16_over_fp32": speed[BF16] / speed[WITHOUT_EXTRAS],
        "samples_s_cpu_s": taken,
    }


def in_turns(asks: dict[str, Callable[[str], Any]], seconds: float) -> dict[str, list[Sample]]:
    """A pass of each, again and again, for so many seconds or ``ROUNDS``."""
    taken: dict[str, list[Sample]] = {kind: [] for kind in asks}
    end = perf_counter() + seconds
    while perf_counter() < end or len(taken[PEER]) < ROUNDS:
        for kind, ask in asks.items():
            sleep(PAUSE)
            taken[kind].append(ask("sample"))
    return taken


class Computing:
    """A model that one of ``KINDS`` computes, for a process of its own."""

    def __init__(self, name: str, kind: str, batch: int):
        model = random_weights(ARCHITECTURES[name])
        self._x = draw_images(batch, RESOLUTION, CPU)
        self._around = ExitStack()
        self._around.enter_context(numerics(CPU, _precision(kind)))
        self._around.enter_context(torch.inference_mode())
        self._module, self._runtime = _ready(model, ARCHITECTURES[name], kind, self._x)

    def runtime(self) -> str:
        """What computes."""
        return self._runtime

    def warm_up(self) -> int:
        """Run until the durations are stable; how often."""
        return warm_up(self._module, self._x)

    def sample(self) -> Sample:
        """One forward pass."""
        return sample(self._module, self._x)


def _precision(kind: str) -> str:
    return "bf16" if kind == BF16 else "fp32"


def _ready(model: VAN, architecture: Architecture, kind: str, x: Tensor) -> tuple[nn.Module, str]:
    """The model as a kind computes it, and the name of what does."""
    if kind == PEER:
        from benchmarks.peer import Peer

        return Peer(model, RESOLUTION), "OpenVINO on the plain model"
    precision = _precision(kind)
    config = resolve_config(None, CPU, precision, False, lambda _: None)
    setting = Setting(CPU, precision, RESOLUTION, config)
    if kind == DEFAULT:
        module, chosen = choose(model, architecture, x[:4], setting, TrialCache())
        return module, chosen.runtime
    return as_asked(model, setting, OPTIMIZED)[0], OPTIMIZED


def first_batch(folder: Path, images: Path, repeats: int) -> Json:
    """Seconds from the start of ``vanbench validate`` of van_b0 to its first stored predictions.

    With an empty cache, and with the outcomes of trials that the first run has kept there.
    """
    file = str(checkpoint(folder, "van_b0"))
    first = _seconds_to_first(folder, "first", file, images)
    again = [_seconds_to_first(folder, f"{n}", file, images) for n in range(repeats)]
    return {"first_run_s": first, "later_run_s": median(again), "samples_s": again}


def _seconds_to_first(folder: Path, run: str, file: str, images: Path) -> float:
    results = folder / run
    arguments = ["validate", "--checkpoint", file, "--data", str(images), "-q"]
    arguments += ["--results", str(results), "--cache", str(folder / "cache")]
    start = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "vanbench", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _stored(results / FILE):
            if process.poll() is not None:
                raise SystemExit(f"vanbench {' '.join(arguments)} stored nothing")
            sleep(0.005)
        return perf_counter() - start
    finally:
        process.terminate()
        process.wait()


def _stored(path: Path) -> bool:
    """Whether a database has predictions, which others can already read."""
    if not path.exists():
        return False
    with suppress(sqlite3.Error):  # its tables are not there yet
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return database.execute("SELECT 1 FROM predictions LIMIT 1").fetchone() is not None
        finally:
            database.close()
    return False
