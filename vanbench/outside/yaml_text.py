"""YAML from outside: mappings, lists and texts, with bounded size and depth.

Every scalar is the text as it is written: ``82.80`` keeps its zero, and ``no`` is no boolean.
Anchors, aliases, tags, merge keys and keys that occur twice are refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vanbench.errors import VanbenchError
from vanbench.outside.safe_text import is_plain, shorten
from vanbench.outside.text import read_text

DEPTH = 32  # mappings and lists inside each other
MOST = 300_000  # characters of a text, which PyYAML reads in seconds at worst


def parse_yaml(
    text: str,
    *,
    where: str | Path | None,
    error: type[VanbenchError],
    what: str = "YAML file",
    remedy: str = "",
    depth: int = DEPTH,
) -> Any:
    """The value of a YAML text; ``error`` with ``not a readable {what}: …`` for anything else.

    The value consists of dict, list and str. An empty value is an empty text.
    """
    try:
        return _parse(text, depth)
    except ValueError as reason:
        problem = f"not a readable {what}: {reason}"
        raise error(problem, where=where, remedy=remedy) from reason


def read_yaml(
    path: str | Path,
    *,
    most: int = MOST,
    error: type[VanbenchError],
    what: str = "YAML file",
    remedy: str = "",
) -> Any:
    """The value of a YAML file of at most ``most`` bytes; see ``parse_yaml``."""
    text = read_text(path, most=most, error=error, remedy=remedy)
    return parse_yaml(text, where=path, error=error, what=what, remedy=remedy)


def _parse(text: str, depth: int) -> Any:
    import yaml

    if len(text) > MOST:
        raise ValueError(f"expected at most {MOST:,} characters, found {len(text):,}")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _value(yaml.parse(text, Loader=loader), depth)
    except yaml.MarkedYAMLError as reason:
        raise ValueError(f"{reason.problem}{_place(reason.problem_mark)}") from reason
    except yaml.YAMLError as reason:
        raise ValueError(str(reason).splitlines()[0]) from reason
    except (OverflowError, UnicodeError) as reason:
        raise ValueError("a character that cannot be read") from reason


def _value(events: Iterator[Any], depth: int) -> Any:
    """The value that the parser's events describe, built without recursion."""
    import yaml

    document = _Collection([], "")
    open_: list[_Collection] = [document]
    for event in events:
        _check(event, open_, depth)
        if isinstance(event, yaml.ScalarEvent):
            open_[-1].add(_scalar(event), event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            open_[-1].add(kind, event)
            open_.append(_Collection(kind, _place(event.start_mark)))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            open_.pop()
    return document.value[0] if document.value else ""


class _Collection:
    """A mapping or list that is not complete yet; of a mapping also the key that has no value."""

    def __init__(self, value: Any, place: str):
        self.value, self.place = value, place
        self.key: str | None = None

    def add(self, item: Any, event: Any) -> None:
        """Take the next value; of a mapping, keys and values come in turn."""
        place = _place(event.start_mark)
        if isinstance(self.value, list):
            self.value.append(item)
        elif self.key is not None:
            self.value[self.key] = item
            self.key = None
        elif not isinstance(item, str):
            raise ValueError(f"expected a text as key, found a {_kind(item)}{place}")
        elif item in self.value:
            raise ValueError(f"the key {shorten(item)} twice in one mapping{place}")
        elif item == "<<":
            raise ValueError(f"expected no merge key <<{place}")
        else:
            self.key = item


def _check(event: Any, open_: list[_Collection], depth: int) -> None:
    """Raise ValueError for what is not taken."""
    import yaml

    place = _place(event.start_mark)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise ValueError(f"expected no anchors and aliases{place}")
    if getattr(event, "tag", None):
        raise ValueError(f"expected no tags, found {shorten(event.tag)}{place}")
    if isinstance(event, yaml.DocumentStartEvent) and open_[0].value:
        raise ValueError(f"expected one document, found another{place}")
    starts = isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent)
    if starts and len(open_) > depth:
        raise ValueError(f"nested more than {depth} deep{place}")


def _scalar(event: Any) -> str:
    text: str = event.value
    if not is_plain(text) and any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise ValueError(f"half a surrogate pair in {shorten(text)}")
    return text


def _kind(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list"


def _place(mark: Any) -> str:
    return f" in line {mark.line + 1:,}, column {mark.column + 1:,}" if mark else ""
