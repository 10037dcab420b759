"""One case: a valid file, changed, and what comes of reading it."""

import random
import shutil
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tests.fuzz.kind import Kind
from vanbench.benchmark.memory import high_water
from vanbench.errors import InternalError, VanbenchError

MODULES = ("texts", "data_sets", "weights", "stored", "crops", "evidence", "exported")
SAME, OTHER, REFUSED, VIOLATION = "same", "other", "refused", "violation"

CPU_SECONDS = 10
WALL_SECONDS = 40  # of a case that waits, on a machine with other work
MEMORY = 1_000_000_000  # bytes over what there was before the case
MESSAGE = 100_000  # characters of an error


def all_kinds() -> dict[str, Kind]:
    """Every kind of file by its name."""
    return {
        name: kind
        for module in MODULES
        for name, kind in import_module(f"tests.fuzz.{module}").KINDS.items()
    }


def find_kind(name: str) -> Kind:
    """The kind of that name, also one that is broken on purpose."""
    for module in ("broken", *MODULES):  # no other one is imported: torch takes seconds
        kinds: dict[str, Kind] = import_module(f"tests.fuzz.{module}").KINDS
        if name in kinds:
            return kinds[name]
    raise KeyError(f"{name} is none of {', '.join(all_kinds())}")


@dataclass(frozen=True)
class Result:
    """What a case gave: SAME, OTHER, REFUSED or VIOLATION, and why."""

    kind: str
    seed: int
    outcome: str
    note: str
    seconds: float
    memory: int


class Bench:
    """Valid files of one kind in a folder, and what they give when they are read."""

    def __init__(self, name: str, folder: Path):
        self.name, self.kind, self.folder = name, find_kind(name), folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.targets = sorted(self.kind.make(self.folder))
        self.files = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        self.expected: dict[Path, Any] = {}
        for target in self.targets:
            self.expected[target] = self.kind.read(self.folder, target)
            self._restore()

    def prepare(self, seed: int) -> Path:
        """Write the changed file of a case; its path."""
        chance = random.Random(f"{self.name} {seed}")
        target = chance.choice(self.targets)
        content = self.kind.mutate(self.files[target], chance)
        self._restore()
        target.write_bytes(content)
        return target

    def _restore(self) -> None:
        for path in [p for p in self.folder.rglob("*") if p.is_file()]:
            if path not in self.files:
                path.unlink()
        for path, content in self.files.items():
            path.write_bytes(content)

    def run(self, seed: int) -> Result:
        """Read the changed file of a case under the rule."""
        target = self.prepare(seed)
        _forget_high_water()
        before, cpu = high_water() or 0, time.process_time()
        outcome, note = self._read(target)
        seconds, memory = time.process_time() - cpu, (high_water() or 0) - before
        if seconds > CPU_SECONDS:
            outcome, note = VIOLATION, f"{seconds:.0f} s of CPU time; {note}"
        if memory > MEMORY:
            outcome, note = VIOLATION, f"{memory / 1e9:.1f} GB of memory; {note}"
        return Result(self.name, seed, outcome, note, seconds, memory)

    def _read(self, target: Path) -> tuple[str, str]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self.kind.read(self.folder, target)
        except (VanbenchError, click.UsageError) as error:
            return _judge(error)
        except BaseException:
            return VIOLATION, traceback.format_exc()[-3000:]
        if problem := self.kind.wrong(self.expected[target], found):
            return VIOLATION, problem
        return (SAME if found == self.expected[target] else OTHER), ""


def _judge(error: Exception) -> tuple[str, str]:
    message = str(error) or getattr(error, "message", "")
    if isinstance(error, InternalError):
        return VIOLATION, traceback.format_exc()[-3000:]
    if not message or len(message) > MESSAGE:
        return VIOLATION, f"a message of {len(message):,} characters: {message[:500]}"
    return REFUSED, message[:300]


def _forget_high_water() -> None:
    """Set the high-water mark of memory to what is used now (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
