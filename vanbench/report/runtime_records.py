"""Records of ``vanbench bench --runtime``: one model in several runtimes and precisions.

``<results>/bench/runtimes/<model>.json`` has all runtimes; one that was named, another device than
the CPU and a precision that was asked for are part of the file's name.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vanbench.environment import Environment
from vanbench.files import write_atomically
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report.bench_records import RESTORE, Latency, LoadSummary, Sample
from vanbench.report.records import FP32, ArchitectureJson
from vanbench.report.versioned_json import read_versioned, refuse_contradictions
from vanbench.typed_json import to_json

SCHEMA = 1
FOLDER = "runtimes"
ALL = "all"

MEASURED, NOT_INSTALLED, LEFT_OUT, FAILED = STATUSES = (
    "measured",
    "not installed",
    "left out",
    "failed",
)


@dataclass(frozen=True)
class StartUp:
    """Seconds from the start of a new process to the logits of its first batch."""

    process_s: float
    """Starting Python and importing torch."""
    load_s: float
    """Reading the checkpoint and making the model."""
    prepare_s: float
    """Importing the runtime and converting the model to it."""
    first_batch_s: float
    """The first batch of ``batch_size``, with what the runtime compiles for it."""

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.process_s + self.load_s + self.prepare_s + self.first_batch_s


@dataclass(frozen=True)
class RuntimeFigures:
    """What one runtime reached in one precision."""

    images_per_s: float
    """Images per second at ``batch_size``, from the median of the passes."""
    speedup: float
    """How many times as fast as the reference in fp32 that is, from the medians."""
    latency_ms: Latency
    """How long the forward pass of one image takes."""
    peak_memory: int | None
    """Peak memory in bytes, from loading to the first batch; null if it is not known."""
    start_up: StartUp
    """Seconds to the logits of the first batch."""
    max_relative_error: float
    """The largest difference of a logit from the reference's in fp32, relative to the largest of
    these."""
    same_top5: bool
    """Whether the five best classes and their order are the reference's for every image."""
    samples_s_cpu_s: Mapping[str, tuple[Sample, ...]]
    """Batch size → every pass: seconds that went by, and seconds that the process computed."""


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime in one precision: its figures, or why there are none."""

    runtime: str
    """The name of the runtime, as ``--runtime`` takes it."""
    precision: str | None
    """The arithmetic, such as ``fp32``; null for a runtime that is not installed or left out."""
    status: str
    """``measured``, ``not installed``, ``left out`` or ``failed``."""
    reason: str | None
    """Why it was not measured; null if it was."""
    versions: Mapping[str, str]
    """The versions of the runtime's packages, those that are installed."""
    choices: RewriteConfig | None
    """The variants of the rewrite, for a runtime that is made of it; else null."""
    figures: RuntimeFigures | None
    """The figures; null where nothing was measured."""

    @property
    def label(self) -> str:
        """The runtime and the precision."""
        return " ".join(filter(None, (self.runtime, self.precision)))


@dataclass(frozen=True)
class RuntimesRecord:
    """One model in several runtimes, which took turns; the first row is the reference in fp32.

    ``runtime`` is what was asked for: a runtime, or ``all``. ``precision`` is None if all
    precisions were asked for.
    """

    name: str
    runtime: str
    precision: str | None
    architecture: ArchitectureJson
    weights: str
    resolution: int
    device: str
    batch_size: int
    rows: tuple[RuntimeRow, ...]
    load: LoadSummary
    date: str
    environment: Environment

    @property
    def variant(self) -> tuple[str, ...]:
        """What differs from all runtimes in all precisions, or from one in fp32, on a CPU.

        It is part of the file's name.
        """
        parts = [
            self.runtime if self.runtime != ALL else "",
            self.device if self.device != "cpu" else "",
            "" if self.runtime != ALL and self.precision == FP32 else self.precision or "",
        ]
        return tuple(filter(None, parts))

    @property
    def measured(self) -> tuple[tuple[RuntimeRow, RuntimeFigures], ...]:
        """The rows that have figures, with these."""
        return tuple((row, row.figures) for row in self.rows if row.figures)

    def figures(self, runtime: str, precision: str = FP32) -> RuntimeFigures | None:
        """The figures of a runtime in a precision; None if it was not measured."""
        found = (
            f for row, f in self.measured if (row.runtime, row.precision) == (runtime, precision)
        )
        return next(found, None)


def write(results: Path, record: RuntimesRecord) -> Path:
    """Write the record to its file under ``results``, atomically; the file."""
    path = results / "bench" / FOLDER / ".".join([record.name, *record.variant, "json"])
    document = {"schema": SCHEMA, **to_json(record)}
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    return path


def read(path: Path) -> RuntimesRecord:
    """The record in a file; RecordError if it is not one, or if it contradicts itself."""
    record = read_versioned(path, RuntimesRecord, SCHEMA, what="benchmark record", restore=RESTORE)
    refuse_contradictions(path, contradictions(record), remedy=RESTORE)
    return record


def contradictions(record: RuntimesRecord) -> Iterator[str]:
    """What cannot be true of the rows, or does not follow from their samples.

    Sentences without a period.
    """
    labels = [(row.runtime, row.precision) for row in record.rows]
    if not labels or labels[0] != ("reference", FP32) or record.rows[0].figures is None:
        yield "the first of the rows is not the reference in fp32, with its figures"
        return
    if len(set(labels)) < len(labels):
        yield "two rows are of one runtime and precision"
    bad = list(_of_statuses(record.rows))
    bad += [text for row, figures in record.measured for text in _of_samples(record, row, figures)]
    yield from bad
    if not bad:
        yield from _of_figures(record)


def _of_statuses(rows: tuple[RuntimeRow, ...]) -> Iterator[str]:
    for row in rows:
        if row.status not in STATUSES:
            yield f"the status of {row.label} is {row.status}"
        elif (row.status == MEASURED) != (row.figures is not None and row.reason is None):
            yield f"{row.label} is {row.status}, which its figures and its reason contradict"


def _of_samples(record: RuntimesRecord, row: RuntimeRow, figures: RuntimeFigures) -> Iterator[str]:
    for batch in (1, record.batch_size):
        taken = figures.samples_s_cpu_s.get(str(batch), ())
        if not taken or not all(seconds > 0 for seconds, _ in taken):
            yield f"{row.label} has no passes of batch {batch}, or one of 0 seconds or less"


def _of_figures(record: RuntimesRecord) -> Iterator[str]:
    reference = _median(record.measured[0][1], record.batch_size)
    for row, figures in record.measured:
        seconds = _median(figures, record.batch_size)
        pairs = {
            "images_per_s": (figures.images_per_s, record.batch_size / seconds),
            "speedup": (figures.speedup, reference / seconds),
            "latency_ms.p50": (figures.latency_ms.p50, 1000 * _median(figures, 1)),
        }
        for key, (found, expected) in pairs.items():
            if not math.isclose(found, expected, rel_tol=1e-9):
                yield f"{key} of {row.label} is {found:g}, and its samples give {expected:g}"


def _median(figures: RuntimeFigures, batch: int) -> float:
    return median(seconds for seconds, _ in figures.samples_s_cpu_s[str(batch)])
