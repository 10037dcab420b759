"""Strict reading of TOML: a value of the wrong kind and an unknown key are refused."""

from pathlib import Path
from typing import Any

from vanbench.errors import ZooError
from vanbench.zoo.addresses import redact


class Table:
    """A TOML table; each method reads one key, and a ZooError names file, table and key.

    A ``default`` of ``...`` means that the key is required.
    """

    def __init__(self, path: Path, name: str, data: Any):
        self.path, self.name, self.data, self.seen = path, name, data, set[str]()
        if not isinstance(data, dict):
            raise ZooError(f"expected a table, found {_show(data)}", where=f"{path}, {name}")

    def fail(self, key: str, expected: str, found: Any = None) -> ZooError:
        """The error for a key whose value is not as expected; ``found`` None: it is absent."""
        got = "nothing" if found is None else _show(found)
        place = f"[{self.name}]" if self.name else "top level"
        return ZooError(
            f"expected {expected}, found {got}", where=f"{self.path}, {place}, key {key!r}"
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

    def text(self, key: str, default: Any = ...) -> Any:
        """A text."""
        return self.get(key, str, "text", default)

    def length(self, key: str, default: int | None, least: int = 1) -> int:
        """A whole number of at least ``least``."""
        value = self.get(key, int, f"a whole number of at least {least}", default)
        if value < least:
            raise self.fail(key, f"a whole number of at least {least}", value)
        return value

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of some texts."""
        value = self.text(key, default)
        if value not in choices:
            raise self.fail(key, f"one of {', '.join(choices)}", value)
        return value

    def numbers(self, key: str, kind: Any, count: int, default: Any = ..., least: float = 1) -> Any:
        """A list of ``count`` numbers of at least ``least``, as a tuple."""
        what = f"a list of {count} {'whole ' if kind is int else ''}numbers, each at least {least}"
        value = self.get(key, list, what, default)
        sound = all(isinstance(v, kind) and not isinstance(v, bool) and v >= least for v in value)
        if len(value) != count or not sound:
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
    return redact(f"{type(value).__name__} {value!r}")
