"""What else the machine did while a benchmark ran, from Linux's own counters."""

import os
from pathlib import Path
from time import perf_counter

from vanbench.devices import available_cores
from vanbench.report.bench_records import LoadSummary


class SystemLoad:
    """Counts from when it is made what the machine's cores do beside this process."""

    def __init__(self) -> None:
        self.average = os.getloadavg()[0]
        self.started, self.busy, self.own = perf_counter(), _busy_seconds(), _own_seconds()

    def summary(self) -> LoadSummary:
        """The load average at the start, and how many cores other processes used since."""
        busy, other = _busy_seconds(), None
        if busy is not None and self.busy is not None:
            others = busy - self.busy - (_own_seconds() - self.own)
            other = max(0.0, others / (perf_counter() - self.started))
        return LoadSummary(self.average, other, available_cores())


def _busy_seconds() -> float | None:
    """Seconds of work of all cores since the machine started, with time stolen by its host."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, stat.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Seconds of work of this process and of those it has started and waited for."""
    return sum(os.times()[:4])
