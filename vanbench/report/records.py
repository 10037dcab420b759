"""Records: what was measured, with its provenance, as JSON files that are committed.

``<results>/<zoo>/<model>.json`` is the latest full record of a model. It has three sections, each
with the date and environment of its own measurement: a run replaces the sections that it measured
in full and leaves the others. A failed attempt goes to ``<results>/<zoo>/failed/<model>.json``
instead, which the next success removes. No record holds a path of a machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.environment import Environment
from vanbench.errors import RecordError
from vanbench.files import write_atomically
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import Architecture
from vanbench.typed_json import from_json, to_json
from vanbench.zoo.entries import EvaluationProtocol

SCHEMA = 1
VERIFIED = "verified"
UNVERIFIABLE = "unverifiable"
HAVE_FILE = (VERIFIED, UNVERIFIABLE)

ArchitectureJson = Annotated[
    Architecture,
    BeforeValidator(lambda value: Architecture.from_dict(value)),
    PlainSerializer(Architecture.as_dict),
]
"""An Architecture, in JSON beside its published name."""


@dataclass(frozen=True)
class Numerics:
    """How the logits were computed.

    ``model`` is ``reference`` or ``optimized``; ``choices`` is how the rewrite ran.
    """

    precision: str
    tf32: bool
    device: str
    model: str
    choices: RewriteConfig | None
    compile: bool


@dataclass(frozen=True)
class ValidationEnvironment(Environment):
    """The environment, with the outcome of the decoder's check."""

    decoder: DecoderReport


@dataclass(frozen=True)
class FileRecord:
    """The checkpoint file: what was found, and the architecture read from its tensors.

    Where there is no sound file, ``reason`` is the whole message and ``cause`` one clause of it.
    ``oddities`` are what no training leaves in weights, such as NaN or a tensor of zeros.
    """

    url: str
    file: str
    status: str
    date: str
    reason: str | None = None
    cause: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    format: str | None = None
    architecture: ArchitectureJson | None = None
    oddities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Counts:
    """Parameters and FLOPs; ``source`` is ``checkpoint`` or ``architecture`` (the declared one).

    ``flops`` has the total by convention, ``uncounted`` how often fvcore met each operator that it
    does not count.
    """

    source: str
    architecture: ArchitectureJson
    resolution: int
    params: int
    params_backbone: int
    flops: Mapping[str, int]
    uncounted: Mapping[str, int]
    date: str
    environment: Environment


@dataclass(frozen=True)
class Accuracy:
    """Integer counts over a validation set; ``sha256`` is the checkpoint's."""

    sha256: str
    images: int
    correct1: int
    correct5: int
    data: DataSummary
    protocol: EvaluationProtocol
    numerics: Numerics
    seconds: float
    waited: float
    date: str
    environment: ValidationEnvironment


@dataclass(frozen=True)
class Record:
    """All that is known of one model of a zoo."""

    zoo: str
    name: str
    checkpoint: FileRecord | None = None
    counts: Counts | None = None
    accuracy: Accuracy | None = None


def merge(old: Record | None, new: Record) -> Record:
    """``new`` with what ``old`` knows better: a section that ``new`` did not measure in full.

    An accuracy is kept only while it belongs to the same file.
    """
    if old is None:
        return new
    checkpoint, counts, accuracy = new.checkpoint, new.counts, new.accuracy
    if not _has_file(new) and _has_file(old):
        checkpoint, counts = old.checkpoint, old.counts
    sha256 = checkpoint.sha256 if checkpoint else None
    if accuracy is None and old.accuracy is not None and old.accuracy.sha256 == sha256:
        accuracy = old.accuracy
    return replace(new, checkpoint=checkpoint, counts=counts, accuracy=accuracy)


def read(results: Path, zoo: str, name: str) -> Record | None:
    """The latest full record of a model, or None; RecordError if the file is not one."""
    return _read(_path(results, zoo, name), zoo, name)


def read_failed(results: Path, zoo: str, name: str) -> Record | None:
    """What the last attempt found, if it failed; else None."""
    return _read(_failed_path(results, zoo, name), zoo, name)


def write(results: Path, record: Record) -> None:
    """Make ``record`` the latest full one of its model, atomically; forget a failed attempt."""
    _write(_path(results, record.zoo, record.name), record)
    _failed_path(results, record.zoo, record.name).unlink(missing_ok=True)


def write_failed(results: Path, record: Record) -> None:
    """Keep what a failed attempt found, beside the latest full record."""
    _write(_failed_path(results, record.zoo, record.name), record)


def _path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / f"{name}.json"


def _failed_path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / "failed" / f"{name}.json"


def _has_file(record: Record) -> bool:
    return record.checkpoint is not None and record.checkpoint.status in HAVE_FILE


def _write(path: Path, record: Record) -> None:
    document = {"schema": SCHEMA, **to_json(record)}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def _read(path: Path, zoo: str, name: str) -> Record | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _malformed(path, str(error)) from error
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        record = from_json(Record, json.dumps(document))
    except ValueError as error:
        raise _malformed(path, str(error)) from error
    if (record.zoo, record.name) != (zoo, name):
        raise _malformed(path, f"it is the record of {record.zoo}/{record.name}")
    return record


def _malformed(path: Path, what: str) -> RecordError:
    return RecordError(
        f"not a readable record: {what}",
        where=path,
        remedy="Delete it and run vanbench verify again.",
    )
