"""Rows without any measuring: counts in closed form, accuracies as they are given."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from tests.support.recorded import DATE, ENVIRONMENT, SHA256
from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.records import (
    Accuracy,
    Counts,
    FileRecord,
    Numerics,
    Record,
    ValidationEnvironment,
)
from vanbench.report.rows import ModelRow, make_row
from vanbench.zoo.entries import Entry
from vanbench.zoo.reader import load_zoo


def counted_rows(correct: Mapping[str, tuple[int, int]] | None = None) -> list[ModelRow]:
    """A row for each model of the shipped zoo, without a file; ``correct`` is Top-1 and Top-5 of
    50,000 images by model, which has a file.
    """
    given = correct or {}
    return [
        make_row(entry, record_of(entry, given.get(entry.name)))
        for entry in load_zoo("openmmlab").entries
    ]


def record_of(entry: Entry, correct: tuple[int, int] | None = None) -> Record:
    """A consistent record of an entry."""
    counting = entry.counting
    architecture = replace(entry.architecture, num_classes=counting.num_classes)
    params, backbone = expected_params(architecture)
    counts = Counts(
        source="checkpoint" if correct else "architecture",
        architecture=architecture,
        resolution=counting.resolution,
        params=params,
        params_backbone=backbone,
        flops=expected_flops(architecture, counting.resolution),
        uncounted={"gelu": 3},
        date=DATE,
        environment=ENVIRONMENT,
    )
    if correct is None:
        file = FileRecord(entry.urls[0], entry.filename, "unreachable", DATE, "no host", "no host")
        return Record("openmmlab", entry.name, file, counts)
    sha256 = str(entry.published_hash) + SHA256[len(str(entry.published_hash)) :]
    file = FileRecord(
        url=entry.urls[0],
        file=entry.filename,
        status="verified",
        date=DATE,
        bytes=5,
        sha256=sha256,
        format="openmmlab",
        architecture=architecture,
    )
    n = 50_000
    accuracy = Accuracy(
        sha256=sha256,
        images=n,
        correct1=correct[0],
        correct5=correct[1],
        data=DataSummary("class folders", n, 1000, "official", "00", True, True, (), n, n, {}),
        protocol=entry.protocol,
        numerics=Numerics("fp32", False, "cpu", "optimized", RewriteConfig(), False),
        seconds=1.5,
        waited=0.5,
        date=DATE,
        environment=ValidationEnvironment(
            **asdict(ENVIRONMENT), decoder=DecoderReport(True, "as expected", 7, {}, {})
        ),
    )
    return Record("openmmlab", entry.name, file, counts, accuracy)
