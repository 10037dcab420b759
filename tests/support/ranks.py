"""The processes of a run, started with fork: each is one rank, with a store of torch's in common."""

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

from torch.distributed import TCPStore

from vanbench.distributed import Processes, Team

FORK = multiprocessing.get_context("fork")  # starts at once: torch is imported already


class Ranks:
    """``size`` processes that call ``function`` with their team; ``local_size`` share a node."""

    def __init__(self, size: int, function: Callable[[Team], Any], local_size: int | None = None):
        self.size, self.function, self.local_size = size, function, local_size or size
        self.store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.pipes = [FORK.Pipe(duplex=False) for _ in range(size)]
        self.processes = [FORK.Process(target=self._run, args=(rank,)) for rank in range(size)]
        for process in self.processes:
            process.start()

    def _run(self, rank: int) -> None:
        os.setsid()  # its own group, with its workers
        store = TCPStore("127.0.0.1", self.store.port, is_master=False)
        here = Processes(rank, self.size, rank % self.local_size, self.local_size)
        try:
            found = self.function(Team(here, store))
        except Exception as error:
            found = error
        self.pipes[rank][1].send(found)

    def results(self) -> list[Any]:
        """What each rank returned or raised."""
        found = [receiver.recv() for receiver, _ in self.pipes]
        for process in self.processes:
            process.join()
        return found


def on_ranks(
    size: int, function: Callable[[Team], Any], local_size: int | None = None
) -> list[Any]:
    """What each of ``size`` processes returns or raises, by rank."""
    return Ranks(size, function, local_size).results()
