"""The high-water mark of a process, on Linux and without its counters."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import namedtuple

import psutil
import pytest

from vanbench.benchmark import memory
from vanbench.benchmark.memory import high_water, in_new_process, max_resident

MIB = 1 << 20


def growth(size: int) -> int:
    """How much the high-water mark grows with ``size`` bytes, which are freed again."""
    before = high_water()
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    del block
    after = high_water()
    assert before is not None
    assert after is not None
    return after - before


def test_memory_that_is_freed_again_counts():
    assert 95 * MIB < in_new_process(growth, 100 * MIB) < 130 * MIB


def test_a_new_process_does_not_begin_with_the_size_of_this_one():
    block = bytearray(300 * MIB)
    block[::4096] = b"x" * len(block[::4096])
    assert in_new_process(high_water) < 300 * MIB


def test_a_new_process_is_another_one():
    assert in_new_process(os.getpid) != os.getpid()


def fail():
    raise ZeroDivisionError("in the process")


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_the_function_raises_is_raised():
    with pytest.raises(ZeroDivisionError, match="in the process"):
        in_new_process(fail)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_that_the_system_kills_had_not_enough_memory():
    with pytest.raises(MemoryError, match="exit code -9"):
        in_new_process(kill_itself)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_ignores_ctrl_c_and_ends_with_the_call():
    def interrupt():
        (child,) = [psutil.Process(process.pid) for process in multiprocessing.active_children()]
        children.append(child)
        child.send_signal(signal.SIGINT)
        time.sleep(0.1)
        alive.append(child.is_running() and child.status() != psutil.STATUS_ZOMBIE)
        os.kill(os.getpid(), signal.SIGINT)

    children, alive = [], []
    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        in_new_process(time.sleep, 60)
    timer.join()
    assert alive == [True]
    assert not children[0].is_running()


def test_without_proc_on_another_system(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    assert high_water() is None  # psutil's memory_info has no peak on Linux


def test_on_windows_the_peak_working_set_counts(monkeypatch, tmp_path):
    info = namedtuple("pmem", "rss vms peak_wset")(1, 2, 3)
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: info)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert high_water() == 3
    assert max_resident(children=True) is None


def test_on_macos_ru_maxrss_is_in_bytes(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    in_kib = max_resident(children=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert high_water() == pytest.approx(in_kib / 1024, rel=0.1)
