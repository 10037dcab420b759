"""``vanbench.bench``: throughput, latency and memory of the reference and of the fast model."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from vanbench.report import bench_records
from vanbench.report.bench_records import BenchRecord
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.typed_json import Json
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    import pandas

    from vanbench.inference.rewrite_config import RewriteConfig

COLUMNS = ("model", ">batch", ">reference, images/s", ">optimized", ">speed-up",
           ">p50, ms, batch 1", ">p99", ">memory, MiB")  # fmt: skip

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

Throughput and memory are at ``batch_size``, latency is that of one image. ``max_relative_error`` is
how far the fast model's logits are from the reference's; ``reason`` is why there are no figures.
"""


@dataclass(frozen=True, repr=False)
class Benchmark(Displayed):
    """What ``vanbench.bench`` measured.

    ``records`` has the full ``BenchRecord`` of each model by name, with every sample. ``errors``
    has why a model was not measured; nothing is raised for these.
    """

    entries: tuple[Entry, ...]
    records: Mapping[str, BenchRecord]
    errors: Mapping[str, VanbenchError]

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name: see ``FRAME``."""
        return make_frame(map(self._frame_row, self.entries), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench bench --json``."""
        models = [
            bench_records.measured_json(self.records[entry.name])
            if entry.name in self.records
            else bench_records.not_measured_json(entry.name, self.errors[entry.name])
            for entry in self.entries
        ]
        return document(models=models)

    def view(self) -> View:
        """A table, and what failed."""
        total, measured = len(self.entries), len(self.records)
        return View(
            title="Measured",
            sentence=f"{measured} of {counted(total, 'model')}, random weights.",
            columns=COLUMNS,
            rows=[self._cells(entry.name) for entry in self.entries],
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
        precision: ``fp32``, ``tf32``, ``fp16`` or ``bf16``.
        batch_size: The largest batch. The default is 16 on a CPU, 256 on a GPU.
        threads: CPU threads. The default is what torch has now.
        seconds: For the timed runs of each model; a slow one takes longer.
        compile: Compile the rewrite; the first run takes minutes.
        rewrite: Which variant of the rewrite runs. The default is found by a short trial.

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

    check_choice("precision", precision, PRECISIONS)
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

    def measure(entry: Entry) -> BenchRecord:
        if isinstance(entry.architecture, TorchvisionArchitecture):
            raise VanbenchError(
                f"{entry.name} is no VAN, so that it has no optimised model",
                remedy="To measure it: vanbench bench, or vanbench.benchmark.baseline.",
            )
        record = bench_model(entry.name, entry.architecture, options)
        bench_records.write(Path(results), record)
        return record

    records, errors = for_each(entries, measure)
    return Benchmark(entries, records, errors)
