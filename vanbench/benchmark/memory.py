"""Memory of a process: its high-water mark, and fresh processes to measure one in."""

import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import psutil

from vanbench.interrupts import children_ignore_ctrl_c

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

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
    """``function(*arguments)``, computed in a fresh interpreter of its own.

    The process ends with the call, also if that is interrupted. Raises what the function raises,
    and MemoryError if the system killed the process.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, arguments))
    with children_ignore_ctrl_c():
        process.start()
    sender.close()
    try:
        return cast(T, received(receiver, process))
    finally:
        process.terminate()
        process.join()


def received(connection: "Connection", process: "BaseProcess") -> object:
    """What another process sends: a pair of whether it succeeded, and its result or its exception.

    Raises that exception, and MemoryError if the system killed the process.
    """
    try:
        succeeded, outcome = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        kind = MemoryError if process.exitcode == -9 else RuntimeError
        raise kind(f"a process ended with exit code {process.exitcode}") from None
    if not succeeded:
        raise outcome
    return outcome


def _send(
    sender: "Connection", function: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    """Send what the function returns, or raises."""
    try:
        outcome = True, function(*arguments)
    except Exception as error:
        outcome = False, error
    sender.send(outcome)
