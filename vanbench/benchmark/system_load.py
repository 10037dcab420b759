"""What else the machine did while a benchmark ran, from the operating system's counters."""

import os
from time import perf_counter

import psutil

from vanbench.devices import available_cores
from vanbench.report.bench_records import LoadSummary


class SystemLoad:
    """Counts from when it is made what the machine's cores do beside this process."""

    def __init__(self) -> None:
        self.average = _load_average()
        self.started, self.busy, self.own = perf_counter(), _busy_seconds(), _own_seconds()

    def summary(self) -> LoadSummary:
        """The load average at the start, and how many cores other processes used since."""
        busy, other = _busy_seconds(), None
        if busy is not None and self.busy is not None:
            others = busy - self.busy - (_own_seconds() - self.own)
            other = max(0.0, others / (perf_counter() - self.started))
        return LoadSummary(self.average, other, available_cores())


def _load_average() -> float | None:
    """The load average of the last minute; None on Windows, which has none."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _busy_seconds() -> float | None:
    """Seconds of work of all cores since the machine started, with time stolen by its host.

    None where the operating system does not tell.
    """
    try:
        times = psutil.cpu_times()
    except (OSError, psutil.Error):
        return None
    kinds = ("user", "nice", "system", "irq", "softirq", "steal")  # macOS and Windows have fewer
    return sum(getattr(times, kind, 0.0) for kind in kinds)


def _own_seconds() -> float:
    """Seconds of work of this process and of those it has started and waited for.

    Windows does not count the latter.
    """
    return sum(os.times()[:4])
