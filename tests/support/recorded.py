"""A record that is consistent, and the zoo entry that it is about."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.support.models import TINY
from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.environment import Environment
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.records import (
    Accuracy,
    Counts,
    FileRecord,
    Numerics,
    Record,
    ValidationEnvironment,
    with_accuracy,
)
from vanbench.zoo.entries import Entry
from vanbench.zoo.other_sets import OTHER_SETS
from vanbench.zoo.reader import load_zoo

NAME, DATE = "van_test.in1k", "2026-01-01"
SHA256 = hashlib.sha256(b"the file").hexdigest()
ENVIRONMENT = Environment(
    python="3.11.7",
    vanbench="0.1.0",
    torch="2.14.1",
    torchvision=None,
    fvcore=None,
    pillow=None,
    numpy=None,
    system="Linux",
    cpu="CPU",
    cores=2,
    threads=2,
    device="cpu",
    gpu=None,
    cuda=None,
)


def entry_in(folder: Path, **changes: str) -> Entry:
    """The entry, from a zoo file written to ``folder``; ``changes`` are lines of its TOML by key."""
    lines = {
        "architecture": f"{{ embed_dims = {list(TINY.embed_dims)}, depths = {list(TINY.depths)}, "
        f"mlp_ratios = {list(TINY.mlp_ratios)} }}",
        "url": f'"https://example.org/van-test-{SHA256[:8]}.pth"',
        "reported": '{ top1 = "50.00" }',
    } | {key: value for key, value in changes.items() if key != "resolution"}
    head = [
        "schema = 1",
        'name = "zoo"',
        'title = "Test"',
        'source = "https://example.org"',
        f'counting = {{ convention = "openmmlab", resolution = {changes.get("resolution", "32")}, '
        f"num_classes = {TINY.num_classes} }}",
        "[protocol]",
        f"classes = {[f'class-{i}' for i in range(TINY.num_classes)]}",
        f'[models."{NAME}"]',
    ]
    path = folder / "zoo.toml"
    path.write_text("\n".join([*head, *(f"{key} = {value}" for key, value in lines.items())]))
    return load_zoo(str(path)).find(NAME)


def full_record(entry: Entry) -> Record:
    """A record of the entry with all three sections."""
    params, backbone = expected_params(TINY)
    checkpoint = FileRecord(
        url=entry.urls[0],
        file=entry.filename,
        status="verified",
        date=DATE,
        bytes=5,
        sha256=SHA256,
        format="openmmlab",
        architecture=TINY,
    )
    counts = Counts(
        source="checkpoint",
        architecture=TINY,
        resolution=32,
        params=params,
        params_backbone=backbone,
        flops=expected_flops(TINY, 32),
        uncounted={"gelu": 3},
        date=DATE,
        environment=ENVIRONMENT,
    )
    data = DataSummary("class folders", 10, 2, "custom", "00", True, False, (), 10, 10, {})
    accuracy = Accuracy(
        sha256=SHA256,
        images=10,
        correct1=5,
        correct5=7,
        data=data,
        protocol=entry.protocol,
        numerics=Numerics("fp32", False, "cpu", "optimized", RewriteConfig(), False),
        seconds=1.5,
        waited=0.5,
        date=DATE,
        environment=ValidationEnvironment(
            **asdict(ENVIRONMENT), decoder=DecoderReport(True, "as expected", 7, {}, {})
        ),
    )
    return Record("zoo", NAME, checkpoint, counts, accuracy)


def in_precision(record: Record, precision: str, **changes: Any) -> Record:
    """The record with its accuracy also in another precision; ``changes`` are fields of that."""
    assert record.accuracy is not None
    numerics = replace(record.accuracy.numerics, precision=precision, tf32=precision == "tf32")
    return with_accuracy(record, replace(record.accuracy, numerics=numerics, **changes))


def over_set(record: Record, key: str, correct1: int, correct5: int, **changes: Any) -> Record:
    """The record with an accuracy over another test set too; ``changes`` are fields of its data."""
    assert record.accuracy is not None
    n = OTHER_SETS[key].images
    data = replace(
        record.accuracy.data,
        **{"images": n, "used": n, "total": n, "verdict": "official", "other_set": key} | changes,
    )
    counts = {"images": data.used, "correct1": correct1, "correct5": correct5}
    return with_accuracy(record, replace(record.accuracy, data=data, **counts))


def without_file(record: Record) -> Record:
    """What is recorded when the host is down."""
    assert record.checkpoint is not None
    assert record.counts is not None
    checkpoint = FileRecord(
        record.checkpoint.url, record.checkpoint.file, "unreachable", DATE, "DNS", "DNS"
    )
    counts = replace(record.counts, source="architecture")
    return replace(
        record,
        checkpoint=checkpoint,
        counts=counts,
        accuracy=None,
        other_precisions=None,
        other_sets=None,
    )
