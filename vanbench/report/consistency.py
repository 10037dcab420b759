"""Whether the parts of a record fit each other and the zoo entry that the record is about.

Each function yields sentences without a period, which name the keys of the record.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date

from vanbench.checkpoints.weights import PLAIN
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.records import (
    FAILED,
    HAVE_FILE,
    VERIFIED,
    Accuracy,
    Counts,
    FileRecord,
    Record,
    has_file,
)
from vanbench.zoo.entries import Entry

SOURCES = ("checkpoint", "architecture")
PRECISION = "fp32"
SMALLEST = 32  # pixels that the network needs on each side


def contradictions(record: Record) -> Iterator[str]:
    """What cannot be true in a record, whatever it is about."""
    if record.checkpoint is not None:
        yield from _of_file(record.checkpoint)
    if record.counts is not None:
        yield from _of_counts(record.counts)
        yield from _of_source(record, record.counts)
    if record.accuracy is not None:
        yield from _of_accuracy(record.accuracy)
        yield from _of_scored_file(record, record.accuracy)


def misfits(record: Record, entry: Entry) -> Iterator[str]:
    """What a record of this entry would not say."""
    if record.checkpoint is not None:
        yield from _file_misfits(record.checkpoint, entry)
    if record.counts is not None:
        yield from _counts_misfits(record.counts, entry)
    if record.accuracy is not None:
        yield from _accuracy_misfits(record.accuracy, entry)


def _of_file(file: FileRecord) -> Iterator[str]:
    yield from _of_date("checkpoint.date", file.date)
    if file.status not in HAVE_FILE + FAILED:
        yield f"checkpoint.status is {file.status!r}, which is no status of a file"
    if file.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        yield f"checkpoint.sha256 is {file.sha256!r}, which is no SHA-256"
    if file.bytes is not None and file.bytes < 1:
        yield f"checkpoint.bytes is {file.bytes}"
    if file.status in HAVE_FILE:
        for key in ("sha256", "bytes", "format", "architecture"):
            if getattr(file, key) is None:
                yield f"checkpoint.status is {file.status!r}, and checkpoint.{key} is missing"


def _of_counts(counts: Counts) -> Iterator[str]:
    yield from _of_date("counts.date", counts.date)
    if counts.source not in SOURCES:
        yield f"counts.source is {counts.source!r}, not one of {', '.join(SOURCES)}"
    if counts.resolution < SMALLEST:
        yield f"counts.resolution is {counts.resolution}, and the network needs {SMALLEST}"
    params, backbone = expected_params(counts.architecture)
    expected = {"params": params, "params_backbone": backbone}
    expected |= {
        f"flops.{name}": n
        for name, n in expected_flops(counts.architecture, counts.resolution).items()
    }
    found = {"params": counts.params, "params_backbone": counts.params_backbone}
    found |= {f"flops.{name}": n for name, n in counts.flops.items()}
    # Another version of the code may know other conventions, so none is missing but fvcore's.
    for key in {**found, "flops.fvcore": None}:
        if key in expected and found.get(key) != expected[key]:
            yield (
                f"counts.{key} is {_number(found.get(key))}, and counts.architecture has "
                f"{_number(expected[key])}"
            )
    yield from _of_parts("counts.by_operator", counts.by_operator, counts.flops)
    yield from _of_parts("counts.by_module", counts.by_module, counts.flops)


def _of_parts(
    key: str, parts: Mapping[str, Mapping[str, int]] | None, totals: Mapping[str, int]
) -> Iterator[str]:
    """Whether the FLOPs of the parts add up to the total of each convention."""
    if parts is None:
        return
    for name in dict.fromkeys((*totals, *parts)):
        counted = parts.get(name, {}).values()
        if min(counted, default=0) < 0:
            yield f"{key}.{name} has a negative number"
        if sum(counted) != totals.get(name, 0):
            yield (
                f"{key}.{name} adds up to {sum(counted):,}, and counts.flops.{name} is "
                f"{_number(totals.get(name))}"
            )


def _of_source(record: Record, counts: Counts) -> Iterator[str]:
    if (counts.source == "checkpoint") != has_file(record):
        status = record.checkpoint.status if record.checkpoint else None
        yield f"counts.source is {counts.source!r}, and checkpoint.status is {status!r}"
    file = record.checkpoint.architecture if record.checkpoint else None
    if has_file(record) and file and not file.same_body(counts.architecture):
        yield "counts.architecture is not checkpoint.architecture"


def _of_accuracy(accuracy: Accuracy) -> Iterator[str]:
    yield from _of_date("accuracy.date", accuracy.date)
    images, correct1, correct5 = accuracy.images, accuracy.correct1, accuracy.correct5
    data, unreadable = accuracy.data, len(accuracy.data.unreadable)
    if images < 1:
        yield f"accuracy.images is {images}"
    if not 0 <= correct1 <= correct5 <= images:
        yield (
            "expected 0 ≤ accuracy.correct1 ≤ accuracy.correct5 ≤ accuracy.images, found "
            f"{correct1}, {correct5} and {images}"
        )
    elif correct5 > images - unreadable:
        yield (
            f"accuracy.correct5 is {correct5}, and {unreadable} of {images} images in "
            "accuracy.data.unreadable count as wrong"
        )
    if not images == data.used == data.images == data.total:  # a part is not recorded
        yield (
            "expected accuracy.images = data.used = data.images = data.total, found "
            f"{images}, {data.used}, {data.images} and {data.total}"
        )
    if not 0 < data.classes <= len(accuracy.protocol.class_ids):
        yield (
            f"accuracy.data.classes is {data.classes}, and accuracy.protocol has "
            f"{len(accuracy.protocol.class_ids)}"
        )
    if accuracy.numerics.precision != PRECISION or accuracy.numerics.tf32:
        yield (
            f"accuracy.numerics has precision {accuracy.numerics.precision!r} and tf32 "
            f"{str(accuracy.numerics.tf32).lower()}, and only {PRECISION} without TF32 is recorded"
        )
    for key in ("seconds", "waited"):
        if not getattr(accuracy, key) >= 0:
            yield f"accuracy.{key} is {getattr(accuracy, key)}"


def _of_scored_file(record: Record, accuracy: Accuracy) -> Iterator[str]:
    """Whether the accuracy is that of the record's file."""
    file = record.checkpoint
    if file is None or file.status not in HAVE_FILE:
        yield f"there is an accuracy, and checkpoint.status is {file and file.status!r}"
    elif accuracy.sha256 != file.sha256:
        yield f"accuracy.sha256 is {accuracy.sha256}, and checkpoint.sha256 is {file.sha256}"
    elif (accuracy.weights or PLAIN) != (file.weights or PLAIN):
        yield f"accuracy.weights is {accuracy.weights!r}, and checkpoint.weights {file.weights!r}"
    elif file.architecture:
        head, classes = file.architecture.num_classes, len(accuracy.protocol.class_ids)
        if head != classes:
            yield f"checkpoint.architecture has {head} classes, and accuracy.protocol {classes}"


def _file_misfits(file: FileRecord, entry: Entry) -> Iterator[str]:
    if file.file != entry.filename:
        yield f"checkpoint.file is {file.file}, and the zoo names {entry.filename}"
    elif file.status == VERIFIED:
        published = (entry.published_hash or "").lower()
        if not published:
            yield f"checkpoint.status is {VERIFIED!r}, and the zoo has no hash of the file"
        elif not str(file.sha256).startswith(published):
            yield (
                f"checkpoint.status is {VERIFIED!r} with the SHA-256 {file.sha256}, and the "
                f"published one is {published}{'…' if len(published) < 64 else ''}"
            )


def _counts_misfits(counts: Counts, entry: Entry) -> Iterator[str]:
    convention = entry.counting.convention
    if convention not in counts.flops:
        yield f"counts.flops has no {convention}, under which the zoo's FLOPs are counted"
    counting = entry.counting
    if counts.resolution != counting.resolution:
        yield f"counts.resolution is {counts.resolution}, and the zoo's is {counting.resolution}"
    if counts.architecture.num_classes != counting.num_classes:
        yield (
            f"counts.architecture has {counts.architecture.num_classes} classes, and the zoo "
            f"counts with {counting.num_classes}"
        )
    if counts.source == "architecture" and not counts.architecture.same_body(entry.architecture):
        yield "counts.architecture is not the one that the zoo declares"


def _accuracy_misfits(accuracy: Accuracy, entry: Entry) -> Iterator[str]:
    if accuracy.protocol != entry.protocol:
        recorded, declared = accuracy.protocol, entry.protocol
        names = [n for n in vars(declared) if getattr(recorded, n) != getattr(declared, n)]
        yield f"accuracy.protocol is another one than the zoo's: {', '.join(names)}"


def _of_date(key: str, text: str) -> Iterator[str]:
    try:
        date.fromisoformat(text)
    except ValueError:
        yield f"{key} is {text!r}, which is no date"


def _number(value: int | None) -> str:
    return "missing" if value is None else f"{value:,}"
