"""Benchmark records: what ``vanbench bench`` measured of one model, as a JSON file.

``<results>/bench/<model>.json``; another device than the CPU, another precision than fp32 and
compiling are part of the file's name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vanbench.environment import Environment
from vanbench.errors import RecordError
from vanbench.files import write_atomically
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report.records import ArchitectureJson
from vanbench.typed_json import Json, from_json, to_json

SCHEMA = 1

Sample = tuple[float, float]
"""One forward pass: seconds that went by, and seconds that this process's threads computed."""


@dataclass(frozen=True)
class Latency:
    """Percentiles of the duration of one image's forward pass, in milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class ModelFigures:
    """One model: images per second at the record's batch size, latency, peak memory in bytes."""

    images_per_s: float
    latency_ms: Latency
    peak_memory: int | None


@dataclass(frozen=True)
class BatchFigures:
    """Both models at one batch size, in images per second, from the medians of ``samples`` passes.

    ``speedup`` is the ratio of the medians, ``speedup_range`` the interquartile range of the ratios
    of neighbouring passes, ``cpu_speedup`` the ratio of the medians of the processors' time.
    """

    batch_size: int
    reference: float
    optimized: float
    speedup: float
    speedup_range: tuple[float, float]
    cpu_speedup: float
    samples: int


@dataclass(frozen=True)
class CeilingFigures:
    """What the machine's rate of point-wise convolutions would allow; ``fraction`` is reached."""

    macs: int
    pointwise_gmacs_per_s: float
    images_per_s: float
    fraction: float


@dataclass(frozen=True)
class LoadSummary:
    """The load average at the start, how many cores other processes used, how many there are."""

    load_average: float
    other_cores: float | None
    cores: int


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
        """The form of ``bench --json``."""
        document: Json = to_json(self)
        return document


def write(results: Path, record: BenchRecord) -> Path:
    """Write the record to its file under ``results``, atomically; the file."""
    path = results / "bench" / ".".join([record.name, *record.variant, "json"])
    document = {"schema": SCHEMA, **record.as_json()}
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    return path


def read(path: Path) -> BenchRecord:
    """The record in a file; RecordError if it is not one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        return from_json(BenchRecord, json.dumps(document))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"not a readable benchmark record: {error}",
            where=path,
            remedy="Run vanbench bench again.",
        ) from error
