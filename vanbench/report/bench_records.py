"""Benchmark records: what ``vanbench bench`` measured of one model, as a JSON file.

``<results>/bench/<model>.json``; another device than the CPU, another precision than fp32 and
compiling are part of the file's name.
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
from vanbench.report.records import ArchitectureJson
from vanbench.report.versioned_json import read_versioned, refuse_contradictions
from vanbench.typed_json import Json, to_json

SCHEMA = 1
RESTORE = "Restore it from version control, or run vanbench bench again."

Sample = tuple[float, float]
"""One forward pass: seconds that went by, and seconds that this process's threads computed."""


@dataclass(frozen=True)
class Latency:
    """Percentiles of the duration of one image's forward pass, in milliseconds."""

    p50: float
    """Median, in milliseconds."""
    p95: float
    """95th percentile, in milliseconds."""
    p99: float
    """99th percentile, in milliseconds."""


@dataclass(frozen=True)
class ModelFigures:
    """One model: images per second at the record's batch size, latency, peak memory in bytes."""

    images_per_s: float
    """Images per second at ``batch_size``."""
    latency_ms: Latency
    """How long the forward pass of one image takes."""
    peak_memory: int | None
    """Peak memory in bytes; null if it was not measured."""


@dataclass(frozen=True)
class BatchFigures:
    """Both models at one batch size, in images per second, from the medians of ``samples`` passes.

    ``speedup`` is the ratio of the medians, ``speedup_range`` the interquartile range of the ratios
    of neighbouring passes, ``cpu_speedup`` the ratio of the medians of the processors' time.
    """

    batch_size: int
    """Images in a batch."""
    reference: float
    """The reference model's images per second."""
    optimized: float
    """The optimised model's images per second."""
    speedup: float
    """The ratio of the medians of both models' passes."""
    speedup_range: tuple[float, float]
    """The interquartile range of the ratios of neighbouring passes."""
    cpu_speedup: float
    """The ratio of the medians of the processors' time."""
    samples: int
    """Timed passes of each model."""


@dataclass(frozen=True)
class CeilingFigures:
    """What the machine's rate of point-wise convolutions would allow; ``fraction`` is reached."""

    macs: int
    """Multiply–adds of the point-wise convolutions, for one image."""
    pointwise_gmacs_per_s: float
    """The machine's rate of point-wise convolutions, in billions of multiply–adds per second."""
    images_per_s: float
    """Images per second that this rate allows."""
    fraction: float
    """The part of it that the optimised model reaches, from 0 to 1."""


@dataclass(frozen=True)
class LoadSummary:
    """The load average at the start, how many cores other processes used, how many there are.

    None is what the operating system does not tell; Windows has no load average.
    """

    load_average: float | None
    """Load average at the start; null where the system has none."""
    other_cores: float | None
    """Cores that other processes used meanwhile; null if it is not known."""
    cores: int
    """Processor cores of the machine."""


@dataclass(frozen=True)
class BenchRecord:
    """The full record of one model: figures, every sample, and what they were measured on.

    ``samples_s_cpu_s`` has the samples by batch size and model.
    """

    name: str
    architecture: ArchitectureJson
    weights: str
    resolution: int
    device: str
    precision: str
    batch_size: int
    compile: bool
    choices: RewriteConfig
    reference: ModelFigures
    optimized: ModelFigures
    speedup: float
    max_relative_error: float
    same_top5: bool
    batch_sizes: tuple[BatchFigures, ...]
    ceiling: CeilingFigures
    load: LoadSummary
    samples_s_cpu_s: Mapping[str, Mapping[str, tuple[Sample, ...]]]
    date: str
    environment: Environment

    @property
    def variant(self) -> tuple[str, ...]:
        """What differs from fp32 on a CPU, uncompiled; part of the file's name."""
        parts = [
            self.device if self.device != "cpu" else "",
            self.precision if self.precision != "fp32" else "",
            "compile" if self.compile else "",
        ]
        return tuple(filter(None, parts))

    def at(self, batch_size: int) -> BatchFigures:
        """The figures at a batch size."""
        return next(figures for figures in self.batch_sizes if figures.batch_size == batch_size)

    def as_json(self) -> Json:
        """The form of the record's file."""
        document: Json = to_json(self)
        return document


def write(results: Path, record: BenchRecord) -> Path:
    """Write the record to its file under ``results``, atomically; the file."""
    path = results / "bench" / ".".join([record.name, *record.variant, "json"])
    document = {"schema": SCHEMA, **record.as_json()}
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    return path


def read(path: Path) -> BenchRecord:
    """The record in a file; RecordError if it is not one, or if it contradicts itself."""
    record = read_versioned(path, BenchRecord, SCHEMA, what="benchmark record", restore=RESTORE)
    refuse_contradictions(path, contradictions(record), remedy=RESTORE)
    return record


def contradictions(record: BenchRecord) -> Iterator[str]:
    """Figures that are not those of the record's samples, as sentences without a period."""
    for figures in record.batch_sizes:
        yield from _of_batch(figures, record.samples_s_cpu_s.get(str(figures.batch_size), {}))
    found = [figures for figures in record.batch_sizes if figures.batch_size == record.batch_size]
    if not found:
        yield f"batch_sizes has no batch_size {record.batch_size}"
    for figures in found:
        pairs = {
            "reference.images_per_s": (record.reference.images_per_s, figures.reference),
            "optimized.images_per_s": (record.optimized.images_per_s, figures.optimized),
            "speedup": (record.speedup, figures.speedup),
        }
        yield from _differences(pairs, f"batch_sizes of batch {figures.batch_size}")


def _of_batch(figures: BatchFigures, samples: Mapping[str, tuple[Sample, ...]]) -> Iterator[str]:
    batch, place = figures.batch_size, f"samples_s_cpu_s of batch {figures.batch_size}"
    taken = [samples.get(kind, ()) for kind in ("reference", "optimized")]
    if not all(len(of_kind) == figures.samples > 0 for of_kind in taken):
        yield f"{place} does not have {figures.samples} samples of each model"
        return
    if not all(seconds > 0 for of_kind in taken for seconds, _ in of_kind):
        yield f"{place} has a pass of 0 seconds or less"
        return
    reference, optimized = (median(seconds for seconds, _ in of_kind) for of_kind in taken)
    pairs = {
        f"reference of batch {batch}": (figures.reference, batch / reference),
        f"optimized of batch {batch}": (figures.optimized, batch / optimized),
        f"speedup of batch {batch}": (figures.speedup, reference / optimized),
    }
    yield from _differences(pairs, place)


def _differences(pairs: Mapping[str, tuple[float, float]], place: str) -> Iterator[str]:
    for key, (found, expected) in pairs.items():
        if not math.isclose(found, expected, rel_tol=1e-9):
            yield f"{key} is {found:g}, and {place} gives {expected:g}"
