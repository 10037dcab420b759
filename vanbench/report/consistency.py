"""Whether the parts of a record fit each other and the zoo entry that the record is about.

Each function yields sentences without a period, which name the keys of the record.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date

from vanbench.checkpoints.weights import PLAIN
from vanbench.conventions import CONVENTIONS
from vanbench.devices import INT8, PRECISIONS
from vanbench.intervals import mcnemar
from vanbench.model.architecture import Architecture
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.records import (
    FAILED,
    FP32,
    HAVE_FILE,
    VERIFIED,
    Accuracy,
    Counts,
    DifferenceFromFp32,
    FileRecord,
    Record,
    has_file,
)
from vanbench.zoo.entries import Entry
from vanbench.zoo.other_sets import OTHER_SETS

SOURCES = ("checkpoint", "architecture")
SMALLEST = 32  # pixels that the network needs on each side
MOST_TESTED = 50_000  # images of a p-value that is computed again: 0.2 s


def contradictions(record: Record) -> Iterator[str]:
    """What cannot be true in a record, whatever it is about."""
    if record.checkpoint is not None:
        yield from _of_file(record.checkpoint)
    if record.counts is not None:
        yield from _of_counts(record.counts)
        yield from _of_source(record, record.counts)
    for key, precision, accuracy in _accuracies(record):
        yield from _of_accuracy(key, accuracy)
        yield from _of_precision(key, precision, accuracy)
        yield from _of_set(key, accuracy)
        yield from _of_scored_file(key, record, accuracy)


def misfits(record: Record, entry: Entry) -> Iterator[str]:
    """What a record of this entry would not say."""
    if record.checkpoint is not None:
        yield from _file_misfits(record.checkpoint, entry)
    if record.counts is not None:
        yield from _counts_misfits(record.counts, entry)
    for key, _, accuracy in _accuracies(record):
        yield from _accuracy_misfits(key, accuracy, entry)


def _accuracies(record: Record) -> Iterator[tuple[str, str, Accuracy]]:
    """The key of each accuracy in the record, the precision that it stands for, the accuracy."""
    if record.accuracy is not None:
        yield "accuracy", FP32, record.accuracy
    for precision, accuracy in (record.other_precisions or {}).items():
        yield f"other_precisions.{precision}", precision, accuracy
    for name, accuracy in (record.other_sets or {}).items():
        yield f"other_sets.{name}", FP32, accuracy


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
    if isinstance(counts.architecture, Architecture):
        yield from _of_totals(counts, counts.architecture)
    yield from _of_parts("counts.by_operator", counts.by_operator, counts.flops)
    yield from _of_parts("counts.by_module", counts.by_module, counts.flops)


def _of_totals(counts: Counts, architecture: Architecture) -> Iterator[str]:
    """Whether the totals are those of a VAN; there is no closed form for other networks."""
    params, backbone = expected_params(architecture)
    expected = {"params": params, "params_backbone": backbone}
    expected |= {
        f"flops.{name}": n for name, n in expected_flops(architecture, counts.resolution).items()
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


def _of_accuracy(key: str, accuracy: Accuracy) -> Iterator[str]:
    yield from _of_date(f"{key}.date", accuracy.date)
    images, correct1, correct5 = accuracy.images, accuracy.correct1, accuracy.correct5
    data, unreadable = accuracy.data, len(accuracy.data.unreadable)
    if images < 1:
        yield f"{key}.images is {images}"
    if not 0 <= correct1 <= correct5 <= images:
        yield (
            f"expected 0 ≤ {key}.correct1 ≤ correct5 ≤ images, found "
            f"{correct1}, {correct5} and {images}"
        )
    elif correct5 > images - unreadable:
        yield (
            f"{key}.correct5 is {correct5}, and {unreadable} of {images} images in "
            f"{key}.data.unreadable count as wrong"
        )
    if not images == data.used == data.images == data.total:  # a part is not recorded
        yield (
            f"expected {key}.images = data.used = data.images = data.total, found "
            f"{images}, {data.used}, {data.images} and {data.total}"
        )
    if not 0 < data.classes <= len(accuracy.protocol.class_ids):
        yield (
            f"{key}.data.classes is {data.classes}, and {key}.protocol has "
            f"{len(accuracy.protocol.class_ids)}"
        )
    for name in ("seconds", "waited"):
        if not getattr(accuracy, name) >= 0:
            yield f"{key}.{name} is {getattr(accuracy, name)}"


def _of_set(key: str, accuracy: Accuracy) -> Iterator[str]:
    """Whether the accuracy is over the test set that its place in the record stands for."""
    place, _, name = key.partition(".")
    found = accuracy.data.other_set
    if place != "other_sets" and found is not None:
        yield f"{key}.data.other_set is {found!r}, and other test sets belong under other_sets"
    elif place == "other_sets" and name not in OTHER_SETS:
        yield f"{key} is no other test set: these are {', '.join(OTHER_SETS)}"
    elif place == "other_sets" and found != name:
        yield f"{key}.data.other_set is {found!r}"


def _of_precision(key: str, precision: str, accuracy: Accuracy) -> Iterator[str]:
    """Whether the accuracy is in the precision that its place in the record stands for."""
    numerics, difference = accuracy.numerics, accuracy.differs_from_fp32
    found = f"precision {numerics.precision!r} and tf32 {str(numerics.tf32).lower()}"
    if precision == FP32 and (numerics.precision != FP32 or numerics.tf32):
        yield f"{key}.numerics has {found}, and only {FP32} without TF32 belongs there"
    elif key.startswith("other_precisions") and (precision == FP32 or precision not in PRECISIONS):
        yield f"{key} is no other precision: these are {', '.join(PRECISIONS[1:])}"
    elif (numerics.precision, numerics.tf32) != (precision, precision == "tf32"):
        yield f"{key}.numerics has {found}"
    if (numerics.calibration is not None) != (precision == INT8):
        yield f"{key}.numerics.calibration is there for {INT8}, and for no other precision"
    if difference and precision == FP32:
        yield f"{key}.differs_from_fp32 is there, and the accuracy is that of {FP32}"
    elif difference:
        yield from _of_difference(f"{key}.differs_from_fp32", difference, accuracy)


def _of_difference(key: str, difference: DifferenceFromFp32, accuracy: Accuracy) -> Iterator[str]:
    lost, gained = difference.only_fp32_right, difference.only_this_right
    if min(lost, gained) < 0 or not lost + gained <= difference.different <= difference.images:
        yield (
            f"expected 0 ≤ {key}.only_fp32_right + only_this_right ≤ different ≤ images, found "
            f"{lost}, {gained}, {difference.different} and {difference.images}"
        )
    elif gained > accuracy.correct1:
        yield f"{key}.only_this_right is {gained}, and {accuracy.correct1} images are right"
    elif lost + gained <= MOST_TESTED:
        p = mcnemar(gained, lost)
        if not math.isclose(difference.p_value, p, rel_tol=1e-9):
            yield f"{key}.p_value is {difference.p_value}, and its images give {p}"
    predicted = accuracy.images - len(accuracy.data.unreadable)
    if difference.images != predicted:
        yield f"{key}.images is {difference.images}, and {predicted} images could be read"


def _of_scored_file(key: str, record: Record, accuracy: Accuracy) -> Iterator[str]:
    """Whether the accuracy is that of the record's file."""
    file = record.checkpoint
    if file is None or file.status not in HAVE_FILE:
        yield f"{key} is there, and checkpoint.status is {file and file.status!r}"
    elif accuracy.sha256 != file.sha256:
        yield f"{key}.sha256 is {accuracy.sha256}, and checkpoint.sha256 is {file.sha256}"
    elif (accuracy.weights or PLAIN) != (file.weights or PLAIN):
        yield f"{key}.weights is {accuracy.weights!r}, and checkpoint.weights {file.weights!r}"
    elif file.architecture:
        head, classes = file.architecture.num_classes, len(accuracy.protocol.class_ids)
        if head != classes:
            yield f"checkpoint.architecture has {head} classes, and {key}.protocol {classes}"


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
    if convention in CONVENTIONS and convention not in counts.flops:
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


def _accuracy_misfits(key: str, accuracy: Accuracy, entry: Entry) -> Iterator[str]:
    if accuracy.protocol != entry.protocol:
        recorded, declared = accuracy.protocol, entry.protocol
        names = [n for n in vars(declared) if getattr(recorded, n) != getattr(declared, n)]
        yield f"{key}.protocol is another one than the zoo's: {', '.join(names)}"


def _of_date(key: str, text: str) -> Iterator[str]:
    try:
        date.fromisoformat(text)
    except ValueError:
        yield f"{key} is {text!r}, which is no date"


def _number(value: int | None) -> str:
    return "missing" if value is None else f"{value:,}"
