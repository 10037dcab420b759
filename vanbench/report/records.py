"""Records: what was measured, with its provenance, as JSON files that are committed.

``<results>/<zoo>/<model>.json`` is the latest full record of a model. It has three sections, each
with the date and environment of its own measurement: a run replaces the sections that it measured
in full and leaves the others. A failed attempt goes to ``<results>/<zoo>/failed/<model>.json``
instead, which the next success removes. No record holds a path of a machine.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from vanbench.errors import RecordError

SCHEMA = 1
VERIFIED = "verified"
UNVERIFIABLE = "unverifiable"
HAVE_FILE = (VERIFIED, UNVERIFIABLE)


@dataclass(frozen=True)
class Checkpoint:
    """The file: what was found of it, and the architecture read from its tensors.

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
    architecture: dict | None = None
    oddities: list | None = None


@dataclass(frozen=True)
class Counts:
    """Parameters and FLOPs; ``source`` is ``checkpoint`` or ``architecture`` (the declared one)."""

    source: str
    architecture: dict
    resolution: int
    params: int
    params_backbone: int
    flops: dict
    uncounted: dict
    date: str
    environment: dict


@dataclass(frozen=True)
class Accuracy:
    """Integer counts over a validation set; ``sha256`` is the checkpoint's."""

    sha256: str
    images: int
    correct1: int
    correct5: int
    data: dict
    protocol: dict
    numerics: dict
    seconds: float
    waited: float
    date: str
    environment: dict


@dataclass(frozen=True)
class Record:
    """All that is known of one model of a zoo."""

    zoo: str
    name: str
    checkpoint: Checkpoint | None = None
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


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / f"{name}.json"


def _failed_path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / "failed" / f"{name}.json"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _has_file(record: Record) -> bool:
    return record.checkpoint is not None and record.checkpoint.status in HAVE_FILE


def _write(path: Path, record: Record) -> None:
    document = {"schema": SCHEMA, **asdict(record)}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def _read(path: Path, zoo: str, name: str) -> Record | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _malformed(path, str(error)) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _malformed(path, f"expected an object of schema {SCHEMA}")
    sections = {"checkpoint": Checkpoint, "counts": Counts, "accuracy": Accuracy}
    values = {key: value for key, value in document.items() if key != "schema"}
    for key, section in sections.items():
        if values.get(key) is not None:
            values[key] = _build(path, section, values[key])
    record = _build(path, Record, values)
    if (record.zoo, record.name) != (zoo, name):
        raise _malformed(path, f"it is the record of {record.zoo}/{record.name}")
    return record


def _build(path: Path, section: type, values: Any) -> Any:
    """A dataclass from a JSON object, each field of its type; RecordError otherwise."""
    if not isinstance(values, dict):
        raise _malformed(path, f"expected an object for {section.__name__}, found {values!r}")
    hints = get_type_hints(section)
    for key, value in values.items():
        if key not in hints:
            raise _malformed(path, f"unknown key {key!r}")
        number = hints[key] is float and type(value) is int
        if isinstance(value, bool) or not (isinstance(value, hints[key]) or number):
            raise _malformed(path, f"key {key!r}: expected {hints[key]}, found {value!r}")
    try:
        return section(**values)
    except TypeError as error:
        missing = [f.name for f in fields(section) if f.name not in values]
        raise _malformed(path, f"missing one of {', '.join(missing)}") from error


def _malformed(path: Path, what: str) -> RecordError:
    return RecordError(
        f"{path}: not a readable record: {what}. Delete it and run vanbench verify again."
    )
