"""The processes of one run: those that ``torchrun`` started with the same command.

Their common memory is the key-value store of torch's rendezvous. What they exchange is small and in
host memory (lists of images, five classes per prediction), so that no process group is needed: the
same code serves CPUs and GPUs. As with torch.distributed itself, values are pickled: run it in a
network that you trust.
"""

import atexit
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from vanbench.errors import ProcessError, VanbenchError, unexpected_as_errors

T = TypeVar("T")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.001, 0.1  # seconds between two looks into the store
PIECES_LEFT = 4  # how many more pieces each process finds at least, until pieces get small
BEAT = 2.0  # seconds between two signs of life of a process
SILENT = 30.0  # seconds without one, after which a process counts as ended


@dataclass(frozen=True)
class Processes:
    """This process among those of its run: ``rank`` of ``size``, on its node of ``local_size``."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process shows progress, writes records and decides the exit code."""
        return self.rank == 0

    @property
    def leads_node(self) -> bool:
        """Whether this process does what is done once per node."""
        return self.local_rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether the run has no other process."""
        return self.size == 1


ONE = Processes()
"""A process that runs alone."""


def processes() -> Processes:
    """What torchrun's environment variables say; one process where they are not set."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        return Processes(*(int(os.environ[name]) for name in names))
    except (KeyError, ValueError):
        return ONE


class Store(Protocol):
    """What is used of ``torch.distributed.Store``."""

    def set(self, key: str, value: bytes) -> None: ...
    def get(self, key: str) -> bytes: ...
    def check(self, keys: list[str]) -> bool: ...
    def add(self, key: str, amount: int) -> int: ...
    def delete_key(self, key: str) -> bool: ...


class Team:
    """What the processes of a run do together. Every process calls the same methods in turn.

    A process that runs alone needs no store, and each method does its part of the work at once.
    """

    def __init__(self, here: Processes = ONE, store: "Store | None" = None):
        assert here.is_alone or store is not None, "several processes need a store"
        self.here = here
        self._store: Any = store
        self._steps = 0  # of this process; each has a key of its own
        self._sent, self._received = 0, [0] * here.size
        self._looked = 0.0
        self._heard: dict[int, tuple[int, float]] | None = None  # signs of life, and when

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.here.is_alone:
            return [value]
        step = self._step()
        self._put(f"{step}/{self.here.rank}", value)
        if self.here.is_first:
            found = [self._get(f"{step}/{rank}") for rank in range(self.here.size)]
            self._put(step, found)
        return cast(list[T], self._get(step))

    def agree(self, function: Callable[[], T]) -> T:
        """What ``function`` returns here; an error that it raises in any process, in all of them.

        With several errors, it is that of the lowest rank.
        """
        if self.here.is_alone:
            return function()
        error, value = _outcome(function)
        for rank, found in enumerate(self.gather(error)):
            if found is not None:
                raise found if rank == 0 else _of_rank(rank, found)
        return cast(T, value)

    def at_first(self, function: Callable[[], T]) -> T:
        """What ``function`` returns or raises in the first process, in all of them."""
        if self.here.is_alone:
            return function()
        return self._of_one(self._step(), self.here.is_first, function)

    def on_each_node(self, function: Callable[[], T]) -> T:
        """What ``function`` returns or raises in one process of this node, in all of the node."""
        if self.here.is_alone:
            return function()
        leader = self.here.rank - self.here.local_rank
        return self._of_one(f"{self._step()}/{leader}", self.here.leads_node, function)

    def _of_one(self, key: str, mine: bool, function: Callable[[], T]) -> T:
        if mine:
            self._put(key, _outcome(function))
        error, value = self._get(key)
        if error is not None:
            raise error
        return cast(T, value)

    def claim(self, name: str, indices: Sequence[int], most: int) -> Iterator[Sequence[int]]:
        """Pieces of the indices, at most ``most`` long, each for one process of those that ask.

        Pieces get smaller towards the end, so that a slow process ends with the others. All
        processes give the same ``name`` and the same indices.
        """
        end, position = len(indices), 0
        while True:
            share = (end - position) // (PIECES_LEFT * self.here.size)
            size = max(1, min(most, share)) if not self.here.is_alone else most
            position = self._add(name, size, position)
            if position >= end:
                return
            yield indices[position : position + size]
            position += size

    def _add(self, name: str, size: int, position: int) -> int:
        if self.here.is_alone:
            return position
        with _reachable():
            return int(self._store.add(f"claimed/{name}", size)) - size

    def close(self, name: str, indices: Sequence[int]) -> None:
        """Leave nothing to claim under this name."""
        if not self.here.is_alone:
            with _reachable():
                self._store.add(f"claimed/{name}", len(indices))

    def send(self, value: Any) -> None:
        """Send a value to the first process."""
        self._put(f"sent/{self.here.rank}/{self._sent}", value)
        self._sent += 1

    def receive(self) -> Iterator[tuple[int, Any]]:
        """Rank and value of everything that was sent to the first process up to now.

        Raises ProcessError if another process has ended.
        """
        for rank in range(1, self.here.size):
            while self._has(key := f"sent/{rank}/{self._received[rank]}"):
                yield rank, self._get(key)
                with _reachable():
                    self._store.delete_key(key)
                self._received[rank] += 1
        self._refuse_silence()

    def show_life(self) -> None:
        """Tell the other processes from now on that this one lives, and look whether they do."""
        self._heard = {rank: (0, time.monotonic()) for rank in range(self.here.size)}
        ended = threading.Event()

        def beat() -> None:
            with suppress(RuntimeError):  # the store is gone, which the main thread will notice
                while not ended.wait(BEAT):
                    self._store.add(f"alive/{self.here.rank}", 1)

        thread = threading.Thread(target=beat, name="vanbench-alive", daemon=True)
        thread.start()
        atexit.register(thread.join)  # called in reverse order
        atexit.register(ended.set)

    def _refuse_silence(self) -> None:
        """ProcessError naming a process that has not shown life for a while.

        The launcher of this machine notices processes that die here, not those of other machines.
        """
        now = time.monotonic()
        if self._heard is None or now - self._looked < BEAT:
            return
        self._looked = now
        for rank, (count, when) in self._heard.items():
            with _reachable():
                found = int(self._store.add(f"alive/{rank}", 0))
            if found != count:
                self._heard[rank] = (found, now)
            elif now - when > SILENT:
                raise ProcessError(
                    f"the process of rank {rank} has given no sign of life for {SILENT:.0f} s",
                    remedy="What it printed on its machine may say why. Predictions that were "
                    "stored are kept, and the same command continues.",
                )

    def _step(self) -> str:
        self._steps += 1
        return f"step/{self._steps}"

    def _put(self, key: str, value: Any) -> None:
        with _reachable():
            self._store.set(key, pickle.dumps(value))

    def _has(self, key: str) -> bool:
        with _reachable():
            return bool(self._store.check([key]))

    def _get(self, key: str) -> Any:
        """The value under a key, when it is there.

        Waiting in small steps lets signals through; torch's own waiting does not.
        """
        pause = SHORTEST_PAUSE
        while not self._has(key):
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self._refuse_silence()
        with _reachable():
            return pickle.loads(self._store.get(key))


ALONE = Team()
"""The team of a process that torchrun did not start."""


def join_team() -> Team:
    """The team of this process, from torchrun's environment; ``ALONE`` without torchrun."""
    here = processes()
    if here.is_alone:
        return ALONE
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://"))
    team = Team(here, store)
    team.show_life()
    return team


@contextmanager
def _reachable() -> Iterator[None]:
    """ProcessError if the store cannot be reached: it is with the launcher of the first process."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessError(
            "the first process of the run, or its launcher, cannot be reached any more",
            remedy="What it printed on its machine may say why. The same command continues.",
        ) from error


def _outcome(function: Callable[[], T]) -> tuple[VanbenchError | None, T | None]:
    """The error that a function raised, or what it returned."""
    try:
        with unexpected_as_errors():
            return None, function()
    except VanbenchError as error:
        return error, None


def _of_rank(rank: int, error: VanbenchError) -> VanbenchError:
    """The error of another process, which says whose it is."""
    error.problem = f"{error.problem} (in the process of rank {rank})"
    return error
