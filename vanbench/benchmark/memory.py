"""Memory of a process: its high-water mark, and fresh processes to measure one in."""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
STATUS = Path("/proc/self/status")  # Linux


def high_water() -> int | None:
    """The most resident memory that this process ever had, in bytes; None if it is not known.

    On Linux, getrusage would not do: its ru_maxrss begins with the size of the process that started
    this one.
    """
    if STATUS.exists():
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        marks = [line for line in lines if line.startswith("VmHWM:")]
        return int(marks[0].split()[1]) * 1024 if marks else None
    if sys.platform == "darwin":
        return max_resident(children=False)
    peak: int | None = getattr(psutil.Process().memory_info(), "peak_wset", None)  # Windows
    return peak


def max_resident(*, children: bool) -> int | None:
    """ru_maxrss of this process, or of the largest child that has ended; in bytes.

    None on Windows, which does not have it.
    """
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_new_process(function: Callable[..., T], *arguments: object) -> T:
    """``function(*arguments)``, computed in a fresh interpreter of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
