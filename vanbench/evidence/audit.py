"""Auditing records: do their accuracies follow from the evidence? No network is run for this.

The files of each accuracy are hashed and read. They must be about its model, its checkpoint file
and its data set. Counts and verdicts are made again from them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from vanbench.checkpoints.weights import PLAIN
from vanbench.data.summary import OFFICIAL
from vanbench.errors import RecordError, VanbenchError
from vanbench.evidence import labels_file, top5_file
from vanbench.evidence.files import labels_name, top5_name
from vanbench.evidence.labels_file import Labels
from vanbench.evidence.rows_file import SCHEMA, Form, UnexpectedError, read
from vanbench.evidence.top5_file import Top5, answers
from vanbench.prediction_store.prediction import Tally
from vanbench.report import record_files, records
from vanbench.report.records import FP32, Accuracy, Evidence, Record
from vanbench.report.rows import ModelRow, make_row
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.entries import Entry, Zoo

SINCE = "2026-11-25"
"""The date of the first accuracies with evidence; older ones need not have it."""

FOLLOWS = "follows"
NO_EVIDENCE = "no evidence"
CONTRADICTED = "contradicted"

Read = TypeVar("Read")


@dataclass(frozen=True)
class Finding:
    """Something in a record or a file of evidence that is not as it should be."""

    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Sample:
    """What came of predicting ``images`` random images again, on ``device``.

    For ``same`` of them the choices are the recorded ones in their order; ``ties`` differ only in
    the order of classes whose logits are as good as equal.
    """

    images: int
    same: int
    ties: int
    device: str


@dataclass(frozen=True)
class AuditedAccuracy:
    """One accuracy of a record: whether its counts follow from the evidence.

    ``tally`` has the counts that follow, None where no evidence could be read. ``row`` is the model
    judged by these; None for an accuracy that no claim is judged by. ``sample`` is what came of
    predicting images again, if that was asked for; ``error`` is why it was not possible.
    """

    precision: str
    accuracy: Accuracy
    status: str
    tally: Tally | None = None
    row: ModelRow | None = None
    labels: Labels | None = None
    top5: Top5 | None = None
    findings: tuple[Finding, ...] = ()
    sample: Sample | None = None
    error: VanbenchError | None = None


@dataclass(frozen=True)
class AuditedRecord:
    """A record file and what was found.

    ``record`` is None where the file is no record that can be used. ``entry`` is None where no zoo
    has the model: then nothing is judged.
    """

    path: Path
    results: Path
    zoo: str
    name: str
    entry: Entry | None
    record: Record | None = None
    accuracies: tuple[AuditedAccuracy, ...] = ()
    problem: Finding | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is not as it should be."""
        own = (self.problem,) if self.problem else ()
        return (*own, *(finding for one in self.accuracies for finding in one.findings))


def audit(path: Path, zoos: Sequence[Zoo]) -> AuditedRecord:
    """Audit the record in a file ``RESULTS/ZOO/MODEL.json``; nothing is raised for what is wrong.

    ``zoos`` have the claims; the first one with the name of the record's zoo is taken.
    """
    parent = path.absolute().parent
    folder = parent.parent if parent.name == "failed" else parent
    zoo, name = folder.name, path.stem
    entries = next((known.entries for known in zoos if known.name == zoo), ())
    entry = next((entry for entry in entries if entry.name == name), None)
    audited = AuditedRecord(path, folder.parent, zoo, name, entry)
    try:
        record = record_files.read_file(path, zoo, name, entry)
    except RecordError as error:
        problem = Finding("record", "one that fits itself and the zoo", error.problem)
        return replace(audited, problem=problem)
    if record is None:
        return replace(audited, problem=Finding("record", "a file", "none"))
    accuracies = (
        _audit_accuracy(audited, record, precision, accuracy)
        for precision, accuracy in record.accuracies.items()
    )
    return replace(audited, record=record, accuracies=tuple(accuracies))


def key_of(precision: str) -> str:
    """The key of a record that the accuracy in that precision has."""
    return "accuracy" if precision == FP32 else f"other_precisions.{precision}"


def _audit_accuracy(
    audited: AuditedRecord, record: Record, precision: str, accuracy: Accuracy
) -> AuditedAccuracy:
    key = key_of(precision)
    if accuracy.evidence is None:
        return _without_evidence(precision, accuracy)
    found = list(_of_section(f"{key}.evidence", record, precision, accuracy.evidence))
    top5, labels = None, None
    if not found:
        top5, labels, found = _read_files(audited.results, accuracy.evidence)
    if top5 is None or labels is None:
        return AuditedAccuracy(precision, accuracy, CONTRADICTED, findings=tuple(found))
    found += _of_top5(accuracy.evidence.file, record, precision, accuracy, top5)
    found += _of_labels(key, accuracy, labels)
    tally = None
    try:
        counted = list(answers(labels, top5))
    except UnexpectedError as error:
        found.append(Finding(accuracy.evidence.file, error.expected, error.found))
    else:
        tally = Tally.of(counted)
        found += _of_counts(key, accuracy, tally, sum(not top for _, top in counted))
    row = _judge(audited.entry, record, accuracy, tally) if precision == FP32 else None
    status = CONTRADICTED if found else FOLLOWS
    return AuditedAccuracy(precision, accuracy, status, tally, row, labels, top5, tuple(found))


def _without_evidence(precision: str, accuracy: Accuracy) -> AuditedAccuracy:
    """An accuracy that names no files: older ones do not, and nothing can be said of them."""
    if accuracy.date < SINCE:
        return AuditedAccuracy(precision, accuracy, NO_EVIDENCE)
    expected = f"files of evidence, as every accuracy has since {SINCE}"
    finding = Finding(f"{key_of(precision)}.evidence", expected, "none")
    return AuditedAccuracy(precision, accuracy, CONTRADICTED, findings=(finding,))


def _of_section(key: str, record: Record, precision: str, evidence: Evidence) -> Iterator[Finding]:
    """Whether the record names the files that belong to it, and none elsewhere."""
    expected = {
        "schema": SCHEMA,
        "file": top5_name(record.zoo, record.name, precision, evidence.sha256),
        "labels_file": labels_name(record.zoo, evidence.labels_sha256),
    }
    yield from _differences(key, expected, vars(evidence))


def _read_files(
    results: Path, evidence: Evidence
) -> tuple[Top5 | None, Labels | None, list[Finding]]:
    """Both files of an accuracy; None for one that cannot be used, and why."""
    findings: list[Finding] = []

    def read_one(
        name: str, sha256: str, form: Form, decode: Callable[[bytes], Read]
    ) -> Read | None:
        try:
            content = read(results / name, form)
            if (found := hashlib.sha256(content).hexdigest()) != sha256:
                raise UnexpectedError("SHA-256", sha256, found)
            return decode(content)
        except RecordError as error:
            findings.append(Finding(name, "the file that the record names", error.problem))
        except UnexpectedError as error:
            findings.append(Finding(f"{name}: {error.what}", error.expected, error.found))
        return None

    top5 = read_one(evidence.file, evidence.sha256, top5_file.FORM, top5_file.decode)
    labels = read_one(evidence.labels_file, evidence.labels_sha256, labels_file.FORM, _labels)
    return top5, labels, findings


@lru_cache(maxsize=2)
def _labels(content: bytes) -> Labels:
    """The labels in a file that many records name."""
    return labels_file.decode(content)


def _of_top5(
    name: str, record: Record, precision: str, accuracy: Accuracy, top5: Top5
) -> Iterator[Finding]:
    """Whether the choices are those of the record's model."""
    assert accuracy.evidence is not None
    expected = {
        "zoo": record.zoo,
        "model": record.name,
        "checkpoint": accuracy.sha256,
        "weights": accuracy.weights or PLAIN,
        "precision": precision,
        "labels": accuracy.evidence.labels_sha256,
        "classes": len(accuracy.protocol.class_ids),
    }
    yield from _differences(name, expected, vars(top5.about), separator=": ")


def _of_labels(key: str, accuracy: Accuracy, labels: Labels) -> Iterator[Finding]:
    """Whether the record is about the images and classes in the file of labels."""
    data = accuracy.data
    if labels.class_ids != accuracy.protocol.class_ids:
        yield Finding(f"{key}.protocol.classes", "those of the labels", "other ones")
    expected = {"fingerprint": labels.fingerprint, "classes": len(labels.per_class)}
    yield from _differences(f"{key}.data", expected, vars(data))
    counts = set(labels.per_class.values())
    each = VALIDATION_IMAGES // len(imagenet_1k())
    whole = data.verdict == OFFICIAL and accuracy.images == VALIDATION_IMAGES
    if whole and labels.class_ids == imagenet_1k() and counts != {each}:
        found = f"{min(counts, default=0)} to {max(counts, default=0)}"
        yield Finding(f"{key}.data.verdict {OFFICIAL}", f"{each} images in each class", found)


def _of_counts(key: str, accuracy: Accuracy, tally: Tally, unread: int) -> Iterator[Finding]:
    """Whether the counts follow; ``unread`` images have no choices."""
    yield from _differences(key, vars(tally), vars(accuracy))
    listed = len(accuracy.data.unreadable)
    if unread > listed:
        expected = f"at least the {unread:,} images without choices"
        yield Finding(f"{key}.data.unreadable", expected, f"{listed:,}")


def _judge(
    entry: Entry | None, record: Record, accuracy: Accuracy, tally: Tally | None
) -> ModelRow | None:
    """The model, judged by the counts that follow from the evidence."""
    if entry is None or tally is None:
        return None
    return make_row(entry, records.with_accuracy(record, replace(accuracy, **vars(tally))))


def _differences(
    key: str, expected: Mapping[str, object], found: Mapping[str, object], separator: str = "."
) -> Iterator[Finding]:
    for name, value in expected.items():
        if found[name] != value:
            yield Finding(f"{key}{separator}{name}", str(value), str(found[name]))
