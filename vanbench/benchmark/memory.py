"""Memory of a process: its high-water mark, and fresh processes to measure one in."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def high_water() -> int | None:
    """The most resident memory this process ever had, in bytes; None where /proc does not tell.

    getrusage would not do: its ru_maxrss begins with the size of the process that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    marks = [line for line in lines if line.startswith("VmHWM:")]
    return int(marks[0].split()[1]) * 1024 if marks else None


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)``, computed in a fresh interpreter of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
