"""Benchmark records of the models that VAN is compared with, which run as they are.

``<results>/bench/torchvision/<model>.json``; another device than the CPU and another precision than
fp32 are part of the file's name.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from vanbench.environment import Environment
from vanbench.files import write_atomically
from vanbench.report.bench_json import BenchModel
from vanbench.report.bench_records import RESTORE, LoadSummary, ModelFigures, Sample
from vanbench.report.records import ArchitectureJson
from vanbench.report.versioned_json import read_versioned, refuse_contradictions
from vanbench.typed_json import to_json

SCHEMA = 1
FOLDER = "torchvision"


@dataclass(frozen=True)
class BaselineRecord:
    """The speed of one model: figures, every sample by batch size, what they were measured on."""

    name: str
    architecture: ArchitectureJson
    weights: str
    resolution: int
    device: str
    precision: str
    batch_size: int
    reference: ModelFigures
    load: LoadSummary
    samples_s_cpu_s: Mapping[str, tuple[Sample, ...]]
    date: str
    environment: Environment

    @property
    def variant(self) -> tuple[str, ...]:
        """What differs from fp32 on a CPU; part of the file's name."""
        parts = [
            self.device if self.device != "cpu" else "",
            self.precision if self.precision != "fp32" else "",
        ]
        return tuple(filter(None, parts))

    def images_per_s(self, batch_size: int) -> float:
        """Images per second at the median of the passes of that batch size."""
        return batch_size / median(seconds for seconds, _ in self.samples_s_cpu_s[str(batch_size)])


def baseline_json(record: BaselineRecord) -> BenchModel:
    """The form of ``bench --json``; what belongs to the rewrite is None."""
    found = to_json(record)
    samples = {batch: {"reference": taken} for batch, taken in found["samples_s_cpu_s"].items()}
    empty = dict.fromkeys(BenchModel.__annotations__)
    return cast(BenchModel, empty | found | {"samples_s_cpu_s": samples})


def write(results: Path, record: BaselineRecord) -> Path:
    """Write the record to its file under ``results``, atomically; the file."""
    path = results / "bench" / FOLDER / ".".join([record.name, *record.variant, "json"])
    document = {"schema": SCHEMA, **to_json(record)}
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    return path


def read(path: Path) -> BaselineRecord:
    """The record in a file; RecordError if it is not one, or if it contradicts itself."""
    record = read_versioned(path, BaselineRecord, SCHEMA, what="benchmark record", restore=RESTORE)
    refuse_contradictions(path, contradictions(record), remedy=RESTORE)
    return record


def contradictions(record: BaselineRecord) -> Iterator[str]:
    """Figures that are not those of the record's samples, as sentences without a period."""
    for batch in (1, record.batch_size):
        taken = record.samples_s_cpu_s.get(str(batch), ())
        if not taken or not all(seconds > 0 for seconds, _ in taken):
            yield f"samples_s_cpu_s of batch {batch} has no passes, or one of 0 seconds or less"
            return
    figures = {
        "reference.images_per_s": (
            record.reference.images_per_s,
            record.images_per_s(record.batch_size),
        ),
        "reference.latency_ms.p50": (
            record.reference.latency_ms.p50,
            1000 / record.images_per_s(1),
        ),
    }
    for key, (found, expected) in figures.items():
        if not math.isclose(found, expected, rel_tol=1e-9):
            yield f"{key} is {found:g}, and its samples give {expected:g}"
