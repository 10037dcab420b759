"""Objects in processes of their own: what they return and raise, and how they end."""

import os
import signal
import threading
import time

import psutil
import pytest

from vanbench.benchmark import workers
from vanbench.benchmark.workers import Worker
from vanbench.errors import DataError


class Counter:
    """Something with a state."""

    def __init__(self, start: int):
        if start < 0:
            raise ValueError(f"found {start}")
        self.value = start

    def add(self, number: int) -> int:
        """The sum so far."""
        self.value += number
        return self.value

    def process(self) -> int:
        """Where it lives."""
        return os.getpid()

    def sleep(self, seconds: float) -> None:
        """Be busy for a while."""
        time.sleep(seconds)

    def fail(self, kind: str) -> None:
        """Raise an error of ours, of another library, or end the process."""
        if kind == "ours":
            raise DataError("no images", where="val", remedy="Look.")
        if kind == "local":

            class LocalError(Exception):
                """Cannot be pickled."""

            raise LocalError("first line\nsecond line")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def counter():
    worker = Worker(Counter, 3)
    worker.made()
    yield worker
    worker.end()


def test_it_keeps_its_state_in_another_process_until_the_end(counter):
    assert [counter.ask("add", 4), counter.ask("add", 5)] == [7, 12]
    process = counter.ask("process")
    assert process != os.getpid()
    counter.end()
    assert not psutil.pid_exists(process)


def test_what_a_method_raises_is_raised_and_it_goes_on(counter):
    with pytest.raises(DataError) as caught:
        counter.ask("fail", "ours")
    assert (caught.value.problem, str(caught.value.where)) == ("no images", "val")
    with pytest.raises(RuntimeError, match=r"^LocalError: first line$"):
        counter.ask("fail", "local")
    assert counter.ask("add", 0) == 3


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_that_the_system_kills_had_not_enough_memory(counter):
    for _ in range(2):  # also if it is asked again
        with pytest.raises(MemoryError, match="exit code -9"):
            counter.ask("fail", "kill")


def test_what_making_it_raises_is_raised():
    worker = Worker(Counter, -1)
    with pytest.raises(ValueError, match="found -1"):
        worker.made()
    worker.end()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_that_computes_is_ended_at_once_after_an_interruption(counter, capfd):
    process = counter.ask("process")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        counter.ask("sleep", 60)
    start = time.perf_counter()
    counter.end()
    assert time.perf_counter() - start < workers.GRACE
    assert not psutil.pid_exists(process)
    assert capfd.readouterr().err == ""
