"""JSON files with a schema number, read strictly as dataclasses; any mistake is a RecordError."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from vanbench.errors import RecordError
from vanbench.outside.json_text import read_json
from vanbench.outside.safe_text import for_terminal
from vanbench.typed_json import UnknownKeyError, from_json

MOST = 4_000_000  # bytes; with 50,000 names of unreadable images it is about half of that
NEWER = "Install the version of vanbench that wrote it"

T = TypeVar("T")


def read_versioned(
    path: Path, kind: type[T], schema: int, *, what: str, restore: str, elsewhere: str = ""
) -> T:
    """The dataclass in a file; RecordError with a remedy if it is another thing, or damaged.

    ``what`` names the kind of file, ``restore`` is the remedy for a damaged one, ``elsewhere`` an
    alternative to installing a newer version. Where no file is, the ``__cause__`` of the error is a
    FileNotFoundError.
    """
    newer = f"{NEWER}{elsewhere}."
    document = read_json(path, most=MOST, error=RecordError, what=what, remedy=restore)
    found = document.pop("schema", None) if isinstance(document, dict) else None
    if type(found) is int and found > schema:
        problem = f"it has schema {found}, and this version of vanbench reads schema {schema}"
        raise RecordError(problem, where=path, remedy=newer)
    try:
        if found != schema or type(found) is not int:
            raise ValueError(f"expected an object of schema {schema}")
        return from_json(kind, json.dumps(document))
    except ValueError as error:
        unknown = isinstance(error, UnknownKeyError)
        otherwise = f"Otherwise {restore[0].lower()}{restore[1:]}"
        advice = f"A newer vanbench may have written it. {newer} {otherwise}"
        remedy = advice if unknown else restore
        raise RecordError(f"not a readable {what}: {error}", where=path, remedy=remedy) from error


def refuse_contradictions(path: Path, contradictions: Iterable[str], *, remedy: str) -> None:
    """RecordError with these sentences, which have no period, if there are any."""
    if texts := "; ".join(contradictions):
        found = for_terminal(texts, most=1000)
        raise RecordError(f"the record contradicts itself: {found}", where=path, remedy=remedy)
