"""Strict reading of TOML: a value of the wrong kind and an unknown key are refused."""

from pathlib import Path
from typing import Any

from vanbench.errors import ZooError
from vanbench.outside.safe_text import for_terminal, is_plain, shorten
from vanbench.zoo.addresses import redact

LARGEST_LENGTH = 1_000_000_000
LONGEST_TEXT = 500  # characters of a text that has no other limit
_MOST_SHOWN = 200  # characters of a text that a message quotes
_FEW = 7  # members of a list or table that a message quotes


class Table:
    """A TOML table; each method reads one key, and a ZooError names file, table and key.

    A ``default`` of ``...`` means that the key is required.
    """

    def __init__(self, path: Path, name: str, data: Any):
        self.path, self.name, self.data, self.seen = path, name, data, set[str]()
        self.place = f"[{for_terminal(name, most=_MOST_SHOWN)}]" if name else "top level"
        if not isinstance(data, dict):
            raise ZooError(f"expected a table, found {_show(data)}", where=f"{path}, {self.place}")

    def fail(self, key: str, expected: str, found: Any = None) -> ZooError:
        """The error for a key whose value is not as expected; ``found`` None: it is absent."""
        got = "nothing" if found is None else _show(found)
        where = f"{self.path}, {self.place}, key {shorten(key)}"
        return ZooError(f"expected {expected}, found {got}", where=where)

    def too_large(self, key: str, why: str) -> ZooError:
        """The error for a network that takes too much memory or time."""
        return ZooError(
            f"the network is too large: {why}",
            where=f"{self.path}, {self.place}, key {shorten(key)}",
            remedy="The limits are in docs/zoo.md.",
        )

    def get(
        self, key: str, kind: type | tuple[type, ...], expected: str, default: Any = ...
    ) -> Any:
        """A value of one of the Python types ``kind``."""
        self.seen.add(key)
        value = self.data.get(key)
        if value is None and default is not ...:
            return default
        wrong_bool = isinstance(value, bool) and kind is not bool
        if wrong_bool or not isinstance(value, kind):
            raise self.fail(key, expected, value)
        return value

    def text(
        self, key: str, default: Any = ..., *, most: int = LONGEST_TEXT, multiline: bool = False
    ) -> Any:
        """A text of at most ``most`` visible characters, in one line unless ``multiline``."""
        value = self.get(key, str, "text", default)
        if key in self.data:
            sound = is_plain(value.replace("\n", "").replace("\t", "") if multiline else value)
            if not sound or len(value) > most:
                lines = "" if multiline else " of one line"
                raise self.fail(key, f"a text{lines} of at most {most:,} visible characters", value)
        return value

    def length(
        self, key: str, default: int | None, least: int = 1, most: int = LARGEST_LENGTH
    ) -> int:
        """A whole number from ``least`` to ``most``."""
        expected = f"a whole number from {least} to {most:,}"
        value = self.get(key, int, expected, default)
        if not least <= value <= most:
            raise self.fail(key, expected, value)
        return value

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of some texts."""
        value = self.get(key, str, "text", default)
        if value not in choices:
            raise self.fail(key, f"one of {', '.join(choices)}", value)
        return value

    def numbers(
        self,
        key: str,
        kind: Any,
        count: int,
        default: Any = ...,
        *,
        least: float = 1,
        most: float = LARGEST_LENGTH,
    ) -> Any:
        """A list of ``count`` numbers from ``least`` to ``most``, as a tuple."""
        whole = "whole " if kind is int else ""
        what = f"a list of {count} {whole}numbers, each from {least:g} to {most:,}"
        value = self.get(key, list, what, default)
        sound = len(value) == count and all(
            isinstance(v, kind) and not isinstance(v, bool) and least <= v <= most for v in value
        )
        if not sound:
            raise self.fail(key, what, value)
        return tuple(value)

    def table(self, key: str, default: Any = ...) -> "Table":
        """A table inside this one."""
        name = f'{self.name}."{key}"' if "." in key else f"{self.name}.{key}".lstrip(".")
        return Table(self.path, name, self.get(key, dict, "a table", default))

    def done(self) -> None:
        """Refuse a key that was not read."""
        for key in sorted(self.data.keys() - self.seen):
            known = ", ".join(sorted(self.seen))
            raise self.fail(key, f"only the keys {known}", self.data[key])


def _show(value: Any) -> str:
    """A value and its type for a message: short, and without the secrets of a URL in it."""
    if isinstance(value, str) and len(value) > _MOST_SHOWN:
        return f"str of {len(value):,} characters"
    return f"{type(value).__name__} {shorten(_redacted(value))}"


def _redacted(value: Any) -> Any:
    """The value as far as it is shown; a text is redacted before anything cuts a secret in two."""
    if isinstance(value, str):
        return redact(value) if len(value) <= _MOST_SHOWN else "…"
    if isinstance(value, list):
        return [_redacted(inner) for inner in value[:_FEW]] + ["…"] * (len(value) > _FEW)
    if isinstance(value, dict):
        return {_redacted(key): _redacted(value[key]) for key in list(value)[:_FEW]}
    return value
