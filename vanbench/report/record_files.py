"""Record files: JSON, one a model, which are read strictly and written completely or not at all.

``<results>/<zoo>/<model>.json`` is the latest full record of a model. A failed attempt goes to
``<results>/<zoo>/failed/<model>.json`` instead, which the next success removes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from vanbench.errors import RecordError
from vanbench.files import write_atomically
from vanbench.outside.safe_text import for_terminal
from vanbench.report.consistency import contradictions, misfits
from vanbench.report.records import Record
from vanbench.report.versioned_json import read_versioned
from vanbench.typed_json import to_json
from vanbench.zoo.combined import home
from vanbench.zoo.entries import Entry
from vanbench.zoo.names import is_zoo_name

SCHEMA = 1
AGAIN = "delete it and run vanbench verify again"
RESTORE = f"Restore it from version control, or {AGAIN}."
ELSEWHERE = ", or give another folder with --results"


def read(results: Path, zoo: str, entry: Entry) -> Record | None:
    """The latest full record of a zoo's model, or None.

    Raises RecordError if the file is not a record, if the record contradicts itself, or if it does
    not fit the entry.
    """
    return read_file(_path(results, *home(zoo, entry.name)), *home(zoo, entry.name), entry)


def read_failed(results: Path, zoo: str, entry: Entry) -> Record | None:
    """What the last attempt found, if it failed; else None. Raises as ``read`` does."""
    return read_file(_failed_path(results, *home(zoo, entry.name)), *home(zoo, entry.name), entry)


def write(results: Path, record: Record) -> None:
    """Make ``record`` the latest full one of its model, atomically; forget a failed attempt."""
    _write(_path(results, record.zoo, record.name), record)
    _failed_path(results, record.zoo, record.name).unlink(missing_ok=True)


def write_failed(results: Path, record: Record) -> None:
    """Keep what a failed attempt found, beside the latest full record."""
    _write(_failed_path(results, record.zoo, record.name), record)


def all_files(results: Path) -> list[Path]:
    """The record files of all zoos under ``results``, also those of failed attempts."""
    found = [*results.glob("*/*.json"), *results.glob("*/failed/*.json")]
    return sorted(path for path in found if is_zoo_name(path.relative_to(results).parts[0]))


def _path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / f"{name}.json"


def _failed_path(results: Path, zoo: str, name: str) -> Path:
    return results / zoo / "failed" / f"{name}.json"


def _write(path: Path, record: Record) -> None:
    document = {"schema": SCHEMA, **to_json(record)}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def read_file(path: Path, zoo: str, name: str, entry: Entry | None) -> Record | None:
    """The record of a zoo's model in that file, or None; raises as ``read`` does.

    Without the entry, the record is checked against itself alone.
    """
    try:
        record = read_versioned(
            path, Record, SCHEMA, what="record", restore=RESTORE, elsewhere=ELSEWHERE
        )
    except RecordError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    if (record.zoo, record.name) != (zoo, name):
        found = for_terminal(f"{record.zoo}/{record.name}", most=200)
        raise RecordError(
            f"expected the record of {zoo}/{name}, found that of {found}",
            where=path,
            remedy=f"Give it its own name again, or {AGAIN}.",
        )
    _refuse(path, "contradicts itself", contradictions(record), "It was edited, or damaged.")
    found_misfits = misfits(record, entry) if entry else ()
    _refuse(path, "does not fit the zoo", found_misfits, "The zoo changed, or the record.")
    return record


def _refuse(path: Path, what: str, found: Iterable[str], why: str) -> None:
    """Raise a RecordError if anything was found."""
    if texts := "; ".join(found):
        found = for_terminal(texts, most=1000)
        raise RecordError(f"the record {what}: {found}", where=path, remedy=f"{why} {RESTORE}")
