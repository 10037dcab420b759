"""Evidence that an accuracy follows from, made without a model."""

import hashlib
from dataclasses import replace
from pathlib import Path

from vanbench.evidence import files
from vanbench.evidence.labels_file import labels_of
from vanbench.report import record_files
from vanbench.report.records import Record, with_accuracy

CLASSES = 10


def sha256_of(number: int) -> bytes:
    """The SHA-256 of a made-up image."""
    return hashlib.sha256(b"image %d" % number).digest()


def choices_for(label: int, place: int) -> tuple[int, ...]:
    """Five classes with the label at a place, counted from 0; without it from 5 on."""
    others = [(label + 1 + n) % CLASSES for n in range(5)]
    return tuple([*others[:place], label, *others[place:]][:5])


def arranged(images: int, correct1: int, correct5: int):
    """Images with labels, and choices of which so many are right."""
    labelled = [(sha256_of(i).hex(), i % CLASSES) for i in range(images)]
    places = [0 if i < correct1 else 1 + i % 4 if i < correct5 else 5 for i in range(images)]
    choices = {sha256_of(i): choices_for(i % CLASSES, places[i]) for i in range(images)}
    return labelled, choices


def record_with_evidence(
    results: Path, record: Record, precision: str = "fp32", date: str = "2026-12-01"
) -> Record:
    """The record, written, whose accuracy follows from evidence."""
    accuracy = record.accuracies[precision]
    labelled, choices = arranged(accuracy.images, accuracy.correct1, accuracy.correct5)
    labels = labels_of(accuracy.protocol.classes, labelled)
    data = replace(accuracy.data, fingerprint=labels.fingerprint, classes=len(labels.per_class))
    accuracy = replace(accuracy, data=data, date=date)
    evidence = files.write(results, record, accuracy, labelled, choices)
    record = with_accuracy(record, replace(accuracy, evidence=evidence))
    record_files.write(results, record)
    return record
