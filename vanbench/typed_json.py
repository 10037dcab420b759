"""Typed JSON: from frozen dataclasses to JSON documents and back, strictly.

pydantic does the work. It is imported on first use.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from vanbench.outside.json_text import bounded_json
from vanbench.outside.safe_text import for_terminal, shorten

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

_MOST_VALUES = 100_000  # pydantic needs about 1 kB for each value that is not as expected


class UnknownKeyError(ValueError):
    """A key that the dataclass does not have."""


Json = dict[str, Any]
"""A JSON object on its way out of the program."""


def to_json(value: Any) -> Any:
    """The JSON form of a dataclass: its fields in their order, tuples as lists."""
    return _adapter(type(value)).dump_python(value, mode="json")


def from_json(kind: type[T], text: str | bytes) -> T:
    """The dataclass that a JSON text describes; ValueError says which key is not as it should be.

    Types are not converted: ``"1"`` and ``true`` are no numbers. Unknown keys are refused
    (UnknownKeyError), and so is what ``outside.json_text`` does not take.
    """
    from pydantic import ValidationError

    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    document = bounded_json(text, values=_MOST_VALUES)
    try:
        value = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(_describe(error)) from error
    for key in _unknown(document, to_json(value), ""):
        raise UnknownKeyError(f"unknown key {shorten(key)}")
    return value


_ADAPTERS: dict[Any, "TypeAdapter[Any]"] = {}  # to make one takes milliseconds


def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _describe(error: "ValidationError") -> str:
    """The first thing that is wrong: the key, what was expected, what was found."""
    first = error.errors(include_url=False, include_context=False)[0]
    key = shorten(".".join(map(str, first["loc"])) or "document")
    if first["type"] in ("missing", "missing_argument"):
        return f"missing key {key}"
    expected = for_terminal(first["msg"], most=200)
    return f"key {key}: {expected}, found {shorten(first['input'], 60)}"


def _unknown(found: Any, known: Any, place: str) -> Iterator[str]:
    """The keys of ``found`` that ``known`` has not, with their place."""
    if isinstance(found, dict) and isinstance(known, dict):
        for key, value in found.items():
            if key not in known:
                yield place + key
            else:
                yield from _unknown(value, known[key], f"{place}{key}.")
    elif isinstance(found, list) and isinstance(known, list):
        for one, other in zip(found, known, strict=False):
            yield from _unknown(one, other, place)
