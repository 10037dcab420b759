"""Where the files of evidence are under the folder of the records, and how they come there.

A file is named after its content, so that no other content ever replaces it: whatever interrupts a
run, a record names the files that it was written with.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from vanbench.checkpoints.weights import PLAIN
from vanbench.errors import RecordError
from vanbench.evidence import labels_file, top5_file
from vanbench.evidence.labels_file import labels_of
from vanbench.evidence.rows_file import SCHEMA, UnexpectedError
from vanbench.evidence.top5_file import About, Top, top5_of
from vanbench.files import write_atomically
from vanbench.report.records import Accuracy, Evidence, Record

FOLDER = "evidence"
SUFFIXES = (".top5", ".labels")
DIGITS = 16  # of the SHA-256 of a file, in its name


def top5_name(zoo: str, model: str, precision: str, sha256: str) -> str:
    """The file with the choices of a model, relative to the folder of the records."""
    return f"{FOLDER}/{zoo}/{model}.{precision}.{sha256[:DIGITS]}.top5"


def labels_name(zoo: str, sha256: str) -> str:
    """The file with the labels of a data set, which the models of a zoo share."""
    return f"{FOLDER}/{zoo}/{sha256[:DIGITS]}.labels"


def write(
    results: Path,
    record: Record,
    accuracy: Accuracy,
    labelled: Iterable[tuple[str | None, int]],
    choices: Mapping[bytes, Top],
) -> Evidence:
    """Write the evidence of an accuracy of a record; what the record then says of it.

    ``labelled`` has the SHA-256 of each image (None: its bytes could not be read) with its label,
    ``choices`` the first choices by an image's SHA-256. RecordError if no file can hold them.
    """
    numerics, classes = accuracy.numerics, accuracy.protocol.classes
    try:
        labels = labels_file.encode(labels_of(classes, labelled))
        labels_sha256 = hashlib.sha256(labels).hexdigest()
        about = About(
            zoo=record.zoo,
            model=record.name,
            checkpoint=accuracy.sha256,
            weights=accuracy.weights or PLAIN,
            precision=numerics.precision,
            labels=labels_sha256,
            classes=len(accuracy.protocol.class_ids),
        )
        top5 = top5_file.encode(top5_of(about, choices))
    except UnexpectedError as error:
        problem = f"no evidence of the accuracy can be kept: {error}"
        raise RecordError(problem, where=record.name) from error
    sha256 = hashlib.sha256(top5).hexdigest()
    found = Evidence(
        schema=SCHEMA,
        file=top5_name(record.zoo, record.name, numerics.precision, sha256),
        sha256=sha256,
        labels_file=labels_name(record.zoo, labels_sha256),
        labels_sha256=labels_sha256,
    )
    write_atomically(results / found.labels_file, labels)
    write_atomically(results / found.file, top5)
    return found


def remove_replaced(results: Path, old: Record | None, new: Record) -> None:
    """Delete the choices that the old record of a model named and the new one does not.

    Labels stay: other records may name them.
    """
    kept = {evidence.file for evidence in _evidence(new)}
    for precision, accuracy in (old.accuracies if old else {}).items():
        evidence = accuracy.evidence
        if evidence is None or evidence.file in kept:
            continue
        if evidence.file == top5_name(new.zoo, new.name, precision, evidence.sha256):
            (results / evidence.file).unlink(missing_ok=True)


def unused(results: Path, records: Iterable[Record]) -> list[str]:
    """The files of evidence that none of the records names, relative to ``results``."""
    named = {
        name
        for record in records
        for evidence in _evidence(record)
        for name in (evidence.file, evidence.labels_file)
    }
    found = {
        path.relative_to(results).as_posix()
        for path in (results / FOLDER).glob("*/*")
        if path.suffix in SUFFIXES
    }
    return sorted(found - named)


def _evidence(record: Record) -> Iterator[Evidence]:
    return (one.evidence for one in record.accuracies.values() if one.evidence)
