"""Runs cases in worker processes, and replaces a worker that dies or takes too long."""

import json
import queue
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.fuzz.cases import OTHER, REFUSED, SAME, VIOLATION, WALL_SECONDS, Bench, Result

ROOT = Path(__file__).parents[2]
Case = tuple[str, int]


class Worker:
    """A worker process and its folder."""

    def __init__(self, folder: Path, wall_seconds: float):
        self.folder, self.wall_seconds = folder, wall_seconds
        folder.mkdir(parents=True, exist_ok=True)
        self.errors: IO[bytes] = (folder / "stderr").open("w+b")
        self.process: subprocess.Popen[bytes] | None = None
        self.useless: set[str] = set()  # kinds whose valid files cannot be read

    def run(self, case: Case) -> Result:
        """The result of a case; a worker that gives none broke the rule."""
        name, seed = case
        if name in self.useless:
            return Result(name, seed, VIOLATION, "the valid files cannot be read", 0, 0)
        process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        begun = time.monotonic()
        process.stdin.write(f"{name} {seed}\n".encode())
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.wall_seconds)
        answer = process.stdout.readline() if ready else b""
        if answer.startswith(b"useless"):
            self.useless.add(name)
            return Result(name, seed, VIOLATION, answer.decode(), 0, 0)
        if answer.endswith(b"\n"):
            return Result(**json.loads(answer))
        self.close()
        self.errors.seek(0)
        said = self.errors.read()[-2000:].decode(errors="replace")
        why = f"ended with {process.returncode}" if ready else "no answer"
        note = f"{why} ({self.wall_seconds:.0f} s are allowed)\n{said}"
        return Result(name, seed, VIOLATION, note, time.monotonic() - begun, 0)

    def _start(self) -> "subprocess.Popen[bytes]":
        self.errors.truncate(0)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT,
        )  # fmt: skip
        return self.process

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def run_cases(
    cases: Iterable[Case], folder: Path, *, jobs: int = 2, wall_seconds: float = WALL_SECONDS
) -> Iterator[Result]:
    """The result of each case as it comes; ``folder`` is for the files of the workers."""
    waiting: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()

    def work(number: int) -> None:
        worker = Worker(folder / f"worker-{number}", wall_seconds)
        try:
            while (case := waiting.get()) is not None:
                results.put(worker.run(case))
        finally:
            worker.close()
            results.put(None)

    for case in cases:
        waiting.put(case)
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(jobs)]
    for thread in threads:
        waiting.put(None)
        thread.start()
    running = jobs
    while running:
        result = results.get()
        running -= result is None
        if result is not None:
            yield result


def keep(result: Result, folder: Path) -> Path:
    """The files of a case and what it gave, in a folder of its own, to look at and run again."""
    place = folder / f"{result.kind}-{result.seed}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    again = f"python -m tests.fuzz {result.kind} {result.seed}"
    text = f"{again}\n\n{result.note}\n"
    with suppress(Exception):  # the valid files may be what cannot be read
        changed = Bench(result.kind, place).prepare(result.seed)
        text = f"changed: {changed.relative_to(place)}\n{text}"
    (place / "violation.txt").write_text(text)
    return place


def tally(results: Iterable[Result]) -> str:
    """A table: for each kind the number of cases, answers, refusals and violations."""
    counts: dict[str, Counter[str]] = {}
    slowest: dict[str, float] = {}
    largest: dict[str, int] = {}
    for r in results:
        counts.setdefault(r.kind, Counter())[r.outcome] += 1
        slowest[r.kind] = max(slowest.get(r.kind, 0), r.seconds)
        largest[r.kind] = max(largest.get(r.kind, 0), r.memory)
    lines = [
        "| kind | cases | same content | other valid content | refused | violations | slowest "
        "| most memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows = [(name, counts[name], slowest[name], largest[name]) for name in sorted(counts)]
    everything = sum(counts.values(), Counter())
    rows.append(("all", everything, max(slowest.values()), max(largest.values())))
    for name, count, seconds, memory in rows:
        numbers = [count.total(), *(count[kind] for kind in (SAME, OTHER, REFUSED, VIOLATION))]
        cells = [name, *(f"{n:,}" for n in numbers), f"{seconds:.1f} s", f"{memory / 1e6:.0f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
