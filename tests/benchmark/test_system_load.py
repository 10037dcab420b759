"""The load of other processes, and what is left of it on systems without Linux's counters."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from vanbench.benchmark.system_load import SystemLoad

BURN = "import time\nend = time.process_time() + 30\nwhile time.process_time() < end: pass"


def test_what_other_processes_use_is_seen():
    """A process that computes until it is killed; the machine may have other work, too."""
    process = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        while psutil.Process(process.pid).cpu_times().user < 0.1:
            time.sleep(0.02)
        load = SystemLoad()
        before = psutil.Process(process.pid).cpu_times().user
        time.sleep(0.5)
        used = psutil.Process(process.pid).cpu_times().user - before
        found = load.summary().other_cores
    finally:
        process.kill()
        process.wait()
    assert found is not None
    assert found > used / 0.5 - 0.3


def test_own_work_is_not_the_work_of_others(monkeypatch):
    """Whatever this process computes is taken off the machine's total."""
    counters = iter([100.0, 103.0])
    own = iter([(1.0, 0.0, 0.0, 0.0, 0.0), (2.0, 0.5, 0.5, 0.0, 0.0)])
    clock = iter([0.0, 2.0])

    class Times:
        def __init__(self, user):
            self.user, self.system, self.idle, self.iowait = user, 0.0, 1e6 * user, 1e6 * user

    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(next(counters)))
    monkeypatch.setattr(os, "times", lambda: next(own))
    monkeypatch.setattr("vanbench.benchmark.system_load.perf_counter", lambda: next(clock))
    assert SystemLoad().summary().other_cores == pytest.approx((3.0 - 2.0) / 2)


def test_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "none"))
    summary = SystemLoad().summary()
    assert summary.other_cores is None
    assert summary.cores >= 1


@pytest.mark.parametrize("there", [True, False])
def test_the_load_average_is_there_or_none(monkeypatch, there):
    if there:
        assert SystemLoad().summary().load_average == pytest.approx(os.getloadavg()[0], abs=1)
    else:
        monkeypatch.delattr(os, "getloadavg")
        assert SystemLoad().summary().load_average is None
