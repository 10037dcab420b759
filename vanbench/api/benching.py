"""``vanbench.bench``: throughput, latency and memory of models and of runtimes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vanbench.api.arguments import (
    AnyPath,
    Models,
    check_choice,
    check_number,
    open_zoo,
    selected,
)
from vanbench.api.display import Cell, Displayed, View
from vanbench.api.document import document
from vanbench.api.frames import COUNT, NUMBER, TEXT, TRUTH, make_frame
from vanbench.devices import PRECISIONS
from vanbench.errors import VanbenchError
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.progress import counted
from vanbench.report import bench_json, bench_records, runtime_records
from vanbench.report.bench_records import BenchRecord
from vanbench.report.records import FP32
from vanbench.report.runtime_records import ALL, RuntimeFigures, RuntimesRecord
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.runtimes import names
from vanbench.typed_json import Json
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    import pandas

    from vanbench.inference.rewrite_config import RewriteConfig

COLUMNS = ("model", ">batch", ">reference, images/s", ">optimized", ">speed-up",
           ">p50, ms, batch 1", ">p99", ">memory, MiB")  # fmt: skip

START_UP = ("process", "load", "prepare", "first_batch")
SAME = ("images_per_s", "speedup", "max_relative_error", "same_top5")
"""The figures of a runtime that have the same name in the frame."""

FRAME = {
    "device": TEXT,
    "precision": TEXT,
    "batch_size": COUNT,
    "reference_images_per_s": NUMBER,
    "optimized_images_per_s": NUMBER,
    "speedup": NUMBER,
    **{f"reference_latency_p{p}_ms": NUMBER for p in (50, 95, 99)},
    **{f"optimized_latency_p{p}_ms": NUMBER for p in (50, 95, 99)},
    "reference_peak_memory_bytes": COUNT,
    "optimized_peak_memory_bytes": COUNT,
    "max_relative_error": NUMBER,
    "same_top5": TRUTH,
    "reason": TEXT,
}
"""The columns of ``to_frame()`` and their types; the index is the model's name.

With runtimes they are those of ``RUNTIME_FRAME``. Throughput and memory are at ``batch_size``,
latency is that of one image. ``max_relative_error`` is how far the fast model's logits are from the
reference's; ``reason`` is why there are no figures.
"""

RUNTIME_FRAME = {
    "runtime": TEXT,
    "precision": TEXT,
    "device": TEXT,
    "batch_size": COUNT,
    "images_per_s": NUMBER,
    "speedup": NUMBER,
    **{f"latency_p{p}_ms": NUMBER for p in (50, 95, 99)},
    "peak_memory_bytes": COUNT,
    "start_up_s": NUMBER,
    **{f"{part}_s": NUMBER for part in START_UP},
    "max_relative_error": NUMBER,
    "same_top5": TRUTH,
    "reason": TEXT,
}
"""The columns of ``to_frame()`` with runtimes: a row for each model, runtime and precision.

``start_up_s`` is from the start of a new process to the logits of its first batch, and the sum of
the four columns after it. ``reason`` is why there are no figures.
"""

RUNTIME_COLUMNS = ("model", "runtime", "precision", ">batch", ">images/s", ">speed-up",
                   ">p50, ms, batch 1", ">memory, MiB", ">start-up, s", ">error")  # fmt: skip


@dataclass(frozen=True, repr=False)
class Benchmark(Displayed):
    """What ``vanbench.bench`` measured.

    ``records`` has the full ``BenchRecord`` of each model by name, with every sample; with a
    ``runtime``, ``runtimes`` has its ``RuntimesRecord`` instead. ``errors`` has why a model was not
    measured; nothing is raised for these.
    """

    entries: tuple[Entry, ...]
    records: Mapping[str, BenchRecord]
    errors: Mapping[str, VanbenchError]
    runtimes: Mapping[str, RuntimesRecord] = field(default_factory=dict)

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name: see ``FRAME``; with runtimes, see ``RUNTIME_FRAME``."""
        if self.runtimes:
            rows = [row for entry in self.entries for row in self._runtime_rows(entry.name)]
            return make_frame(rows, RUNTIME_FRAME, "model")
        return make_frame(map(self._frame_row, self.entries), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench bench --json``."""
        return document(models=[self._json(entry.name) for entry in self.entries])

    def _json(self, name: str) -> bench_json.BenchModel:
        if name in self.records:
            return bench_json.measured_json(self.records[name])
        if name in self.runtimes:
            return bench_json.runtimes_json(self.runtimes[name])
        return bench_json.not_measured_json(name, self.errors[name])

    def view(self) -> View:
        """A table, and what failed."""
        total, measured = len(self.entries), len(self.records) + len(self.runtimes)
        return View(
            title="Measured",
            sentence=f"{measured} of {counted(total, 'model')}, random weights.",
            columns=RUNTIME_COLUMNS if self.runtimes else COLUMNS,
            rows=[row for entry in self.entries for row in self._view_rows(entry.name)],
            notes=[f"{name}: {error}" for name, error in self.errors.items()],
        )

    def _frame_row(self, entry: Entry) -> dict[str, Any]:
        record = self.records.get(entry.name)
        if record is None:
            return {"model": entry.name, "reason": str(self.errors[entry.name])}
        row: dict[str, Any] = {"model": entry.name}
        for name in ("device", "precision", "batch_size", "speedup", "max_relative_error",
                     "same_top5"):  # fmt: skip
            row[name] = getattr(record, name)
        for kind, figures in (("reference", record.reference), ("optimized", record.optimized)):
            row[f"{kind}_images_per_s"] = figures.images_per_s
            row[f"{kind}_peak_memory_bytes"] = figures.peak_memory
            for percent in (50, 95, 99):
                latency = getattr(figures.latency_ms, f"p{percent}")
                row[f"{kind}_latency_p{percent}_ms"] = latency
        return row

    def _runtime_rows(self, name: str) -> Iterator[dict[str, Any]]:
        record = self.runtimes.get(name)
        if record is None:
            yield {"model": name, "reason": str(self.errors[name])}
            return
        for row in record.rows:
            about: dict[str, Any] = {"model": name, "runtime": row.runtime, "reason": row.reason}
            about |= {"precision": row.precision, "device": record.device}
            if row.figures is not None:
                about |= {"batch_size": record.batch_size, **_runtime_figures(row.figures)}
            yield about

    def _view_rows(self, name: str) -> Iterator[list[str | Cell]]:
        if name not in self.runtimes:
            cells = self._cells(name)
            width = len(RUNTIME_COLUMNS if self.runtimes else COLUMNS)
            yield [*cells, *[""] * (width - len(cells))]
            return
        record = self.runtimes[name]
        for row in record.rows:
            about: list[str | Cell] = [name, row.runtime, row.precision or ""]
            figures = _runtime_cells(row.figures) if row.figures else [row.reason or "", *[""] * 5]
            yield [*about, str(record.batch_size), *figures]

    def _cells(self, name: str) -> list[str | Cell]:
        record = self.records.get(name)
        if record is None:
            return [name, "", Cell(NOT_MEASURED, NOT_MEASURED), *[""] * (len(COLUMNS) - 3)]
        fast = record.optimized
        return [
            name,
            str(record.batch_size),
            f"{record.reference.images_per_s:.2f}",
            f"{fast.images_per_s:.2f}",
            f"{record.speedup:.2f}",
            f"{fast.latency_ms.p50:.1f}",
            f"{fast.latency_ms.p99:.1f}",
            "–" if fast.peak_memory is None else f"{fast.peak_memory / 2**20:.0f}",
        ]


def _runtime_figures(figures: RuntimeFigures) -> dict[str, Any]:
    latency, start = figures.latency_ms, figures.start_up
    return {
        **{f"latency_p{p}_ms": getattr(latency, f"p{p}") for p in (50, 95, 99)},
        **{f"{part}_s": getattr(start, f"{part}_s") for part in START_UP},
        **{key: getattr(figures, key) for key in SAME},
        "peak_memory_bytes": figures.peak_memory,
        "start_up_s": start.total_s,
    }


def _runtime_cells(figures: RuntimeFigures) -> list[str]:
    return [
        f"{figures.images_per_s:.2f}",
        f"{figures.speedup:.2f}",
        f"{figures.latency_ms.p50:.1f}",
        "–" if figures.peak_memory is None else f"{figures.peak_memory / 2**20:.0f}",
        f"{figures.start_up.total_s:.1f}",
        f"{figures.max_relative_error:.0e}",
    ]


def bench(
    models: Models,
    *,
    zoo: AnyPath = "openmmlab",
    results: AnyPath = "results",
    device: str = "auto",
    precision: str = "fp32",
    batch_size: int | None = None,
    threads: int | None = None,
    seconds: float = 60,
    compile: bool = False,
    rewrite: "RewriteConfig | None" = None,
    runtime: str | None = None,
) -> Benchmark:
    """Measure throughput, latency and peak memory of the reference and of the fast model.

    Both take turns in this process, with random weights: speed does not depend on them, and no
    checkpoint is needed. Every sample is kept in the record, ``bench/MODEL.json`` under
    ``results``.

    Args:
        models: A name (``"van_b0"``), a pattern (``"van_b*"``), a list of these, or ``"all"``.
        zoo: The name of a shipped zoo (``openmmlab``, ``demo``) or the path of a TOML file.
        results: The folder of the records.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``: a CUDA GPU if there is one.
        precision: ``fp32``, ``tf32``, ``fp16`` or ``bf16``. With ``runtime="all"``, another one
            than fp32 is measured alone, beside the reference in fp32.
        batch_size: The largest batch. The default is 16 on a CPU, 256 on a GPU.
        threads: CPU threads. The default is what torch has now.
        seconds: For the timed runs of each model; a slow one takes longer.
        compile: Compile the rewrite; the first run takes minutes.
        rewrite: Which variant of the rewrite runs. The default is found by a short trial.
        runtime: ``onnxruntime`` or ``openvino`` to measure it beside the reference, or ``all`` for
            every runtime that is installed, in every precision that it has here; with
            ``compile=True`` also the compiled one. Each has a process of its own, and the processes
            take turns. The default, ``optimized`` and ``auto`` are the fast model beside the
            reference, and ``compiled`` is ``compile=True``.

    Returns:
        A Benchmark. A model that fails is in its ``errors``, and the others are done. Memory is
        measured in new processes, which import a script that calls this: its own code must be under
        ``if __name__ == "__main__":``.

    Raises:
        UnknownModelError, ZooError, DeviceError, ValueError, TypeError: An argument is wrong.

    >>> found = vanbench.bench("van_b0", seconds=5)  # doctest: +SKIP
    >>> found.to_frame()["speedup"]  # doctest: +SKIP
    """
    from vanbench.benchmark.bench import bench as bench_model
    from vanbench.benchmark.bench import bench_options
    from vanbench.benchmark.runtime_cases import cases, resolve_runtime, van_of
    from vanbench.benchmark.runtimes import bench_runtimes

    check_choice("precision", precision, PRECISIONS)
    if runtime is not None:
        check_choice("runtime", runtime, (*names.NAMES, names.AUTO, ALL))
    table, compile = resolve_runtime(runtime, compile=compile)
    check_number("batch_size", batch_size, 1)
    check_number("threads", threads, 1)
    check_number("seconds", seconds, 0)
    the_zoo = open_zoo(zoo)
    if the_zoo.parts:
        raise ValueError(f"zoo: expected one zoo, found {the_zoo.name!r}: records are by model")
    entries = selected(the_zoo, models)
    options = bench_options(
        device, precision, batch_size, seconds, threads, compile=compile, rewrite=rewrite
    )

    one = None if table == ALL and precision == FP32 else precision
    if table is not None:
        cases(table, one, options)

    def measure(entry: Entry) -> BenchRecord | RuntimesRecord:
        if table is not None:
            found = bench_runtimes(entry.name, van_of(entry), options, table, one)
            runtime_records.write(Path(results), found)
            return found
        if isinstance(entry.architecture, TorchvisionArchitecture):
            raise VanbenchError(
                f"{entry.name} is no VAN, so that it has no optimised model",
                remedy="To measure it: vanbench bench, or vanbench.benchmark.baseline.",
            )
        record = bench_model(entry.name, entry.architecture, options)
        bench_records.write(Path(results), record)
        return record

    measured, errors = for_each(entries, measure)
    records = {name: r for name, r in measured.items() if isinstance(r, BenchRecord)}
    runtimes = {name: r for name, r in measured.items() if isinstance(r, RuntimesRecord)}
    return Benchmark(entries, records, errors, runtimes)
