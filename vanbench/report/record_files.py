"""Record files: JSON, one a model, which are read strictly and written completely or not at all.

``<results>/<zoo>/<model>.json`` is the latest full record of a model. A failed attempt goes to
``<results>/<zoo>/failed/<model>.json`` instead, which the next success removes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from vanbench.errors import RecordError
from vanbench.files import write_atomically
from vanbench.report.consistency import contradictions, misfits
from vanbench.report.records import Record
from vanbench.typed_json import UnknownKeyError, from_json, to_json
from vanbench.zoo.entries import Entry

SCHEMA = 1
NEWER = "Install the version of vanbench that wrote it, or give another folder with --results."
AGAIN = "delete it and run vanbench verify again"


def read(results: Path, zoo: str, entry: Entry) -> Record | None:
    """The latest full record of a zoo's model, or None.

    Raises RecordError if the file is not a record, if the record contradicts itself, or if it does
    not fit the entry.
    """
    return _read(_path(results, zoo, entry.name), zoo, entry)


def read_failed(results: Path, zoo: str, entry: Entry) -> Record | None:
    """What the last attempt found, if it failed; else None. Raises as ``read`` does."""
    return _read(_failed_path(results, zoo, entry.name), zoo, entry)


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


def _write(path: Path, record: Record) -> None:
    document = {"schema": SCHEMA, **to_json(record)}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def _read(path: Path, zoo: str, entry: Entry) -> Record | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        remedy = f"Make it readable, or {AGAIN}."
        raise RecordError(f"cannot be read: {error}", where=path, remedy=remedy) from error
    record = _parse(path, text)
    if (record.zoo, record.name) != (zoo, entry.name):
        raise RecordError(
            f"expected the record of {zoo}/{entry.name}, found that of {record.zoo}/{record.name}",
            where=path,
            remedy=f"Give it its own name again, or {AGAIN}.",
        )
    _refuse(path, "contradicts itself", contradictions(record), "It was edited, or damaged.")
    _refuse(path, "does not fit the zoo", misfits(record, entry), "The zoo changed, or the record.")
    return record


def _parse(path: Path, text: str) -> Record:
    """The record that a text describes; RecordError if it describes none."""
    try:
        document = json.loads(text)
        schema = document.pop("schema", None) if isinstance(document, dict) else None
        if type(schema) is int and schema > SCHEMA:
            raise RecordError(
                f"it has schema {schema}, and this version of vanbench reads schema {SCHEMA}",
                where=path,
                remedy=NEWER,
            )
        if schema != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        return from_json(Record, json.dumps(document))
    except UnknownKeyError as error:
        remedy = f"A newer vanbench may have written it. {NEWER} Or {AGAIN}."
        raise RecordError(f"not a readable record: {error}", where=path, remedy=remedy) from error
    except ValueError as error:
        remedy = f"Restore it from version control, or {AGAIN}."
        raise RecordError(f"not a readable record: {error}", where=path, remedy=remedy) from error


def _refuse(path: Path, what: str, found: Iterable[str], why: str) -> None:
    """Raise a RecordError if anything was found."""
    if texts := "; ".join(found):
        remedy = f"{why} Restore it from version control, or {AGAIN}."
        raise RecordError(f"the record {what}: {texts}", where=path, remedy=remedy)
