"""Strict reading of TOML: each key asked for by kind, and what nobody asked for refused."""

from pathlib import Path
from typing import Any

from vanbench.errors import ZooError


class Table:
    """A TOML table that is read key by key and complains with file, table and key."""

    def __init__(self, path: Path, name: str, data: Any):
        self.path, self.name, self.data, self.seen = path, name, data, set[str]()
        if not isinstance(data, dict):
            raise ZooError(f"{path}, {name}: expected a table, found {_show(data)}.")

    def fail(self, key: str, expected: str, found: Any = None) -> ZooError:
        got = "nothing" if found is None else _show(found)
        place = f"[{self.name}]" if self.name else "top level"
        return ZooError(f"{self.path}, {place}, key {key!r}: expected {expected}, found {got}.")

    def get(
        self, key: str, kind: type | tuple[type, ...], expected: str, default: Any = ...
    ) -> Any:
        self.seen.add(key)
        value = self.data.get(key)
        if value is None and default is not ...:
            return default
        wrong_bool = isinstance(value, bool) and kind is not bool
        if wrong_bool or not isinstance(value, kind):
            raise self.fail(key, expected, value)
        return value

    def text(self, key: str, default: Any = ...) -> Any:
        return self.get(key, str, "text", default)

    def length(self, key: str, default: int | None, least: int = 1) -> int:
        value = self.get(key, int, f"a whole number of at least {least}", default)
        if value < least:
            raise self.fail(key, f"a whole number of at least {least}", value)
        return value

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.fail(key, f"one of {', '.join(choices)}", value)
        return value

    def numbers(self, key: str, kind: Any, count: int, default: Any = ..., least: float = 1) -> Any:
        what = f"a list of {count} {'whole ' if kind is int else ''}numbers, each at least {least}"
        value = self.get(key, list, what, default)
        sound = all(isinstance(v, kind) and not isinstance(v, bool) and v >= least for v in value)
        if len(value) != count or not sound:
            raise self.fail(key, what, value)
        return tuple(value)

    def table(self, key: str, default: Any = ...) -> "Table":
        name = f'{self.name}."{key}"' if "." in key else f"{self.name}.{key}".lstrip(".")
        return Table(self.path, name, self.get(key, dict, "a table", default))

    def done(self) -> None:
        for key in sorted(self.data.keys() - self.seen):
            known = ", ".join(sorted(self.seen))
            raise self.fail(key, f"only the keys {known}", self.data[key])


def _show(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"
