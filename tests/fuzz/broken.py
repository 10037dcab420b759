"""Readers that break the rule, to prove that the fuzzer notices. Only the tests name them."""

import os
import time
from pathlib import Path
from typing import Any

from tests.fuzz.kind import Kind
from vanbench.errors import DataError, InternalError


def _make(folder: Path) -> list[Path]:
    (folder / "x").write_text("x")
    return [folder / "x"]


def _traceback(folder: Path, path: Path) -> Any:
    if path.read_text() != "x":
        raise KeyError("x")


def _sleep(folder: Path, path: Path) -> Any:
    if path.read_bytes() != b"x":
        time.sleep(1000)


def _busy(folder: Path, path: Path) -> Any:
    while path.read_bytes() != b"x":
        pass


def _memory(folder: Path, path: Path) -> Any:
    return len(b"x" * 1_200_000_000) if path.read_bytes() != b"x" else 0


def _crash(folder: Path, path: Path) -> Any:
    if path.read_bytes() != b"x":
        os.abort()


def _bug(folder: Path, path: Path) -> Any:
    if path.read_bytes() != b"x":
        raise InternalError("internal error")


def _long(folder: Path, path: Path) -> Any:
    if path.read_bytes() != b"x":
        raise DataError("x" * 10_000_000)


def _other(folder: Path, path: Path) -> Any:
    return path.read_bytes()


def _refused(folder: Path, path: Path) -> Any:
    if path.read_bytes() != b"x":
        raise DataError("not x", where=path)


def _useless(folder: Path, path: Path) -> Any:
    raise DataError("no file is good enough")


KINDS = {
    "broken-useless": Kind(_make, _useless),
    "broken-traceback": Kind(_make, _traceback),
    "broken-sleep": Kind(_make, _sleep),
    "broken-busy": Kind(_make, _busy),
    "broken-memory": Kind(_make, _memory),
    "broken-crash": Kind(_make, _crash),
    "broken-bug": Kind(_make, _bug),
    "broken-long": Kind(_make, _long),
    "broken-answer": Kind(_make, _other, (), lambda a, b: "another answer" if a != b else ""),
    "sound": Kind(_make, _refused),
}
for _kind in KINDS.values():
    object.__setattr__(_kind, "mutate", lambda data, chance: b"y")
