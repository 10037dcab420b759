"""What a pass has found up to now: batches are stored and counted as they come."""

from collections.abc import Callable, Generator, Mapping, Sequence
from time import perf_counter

import torch

from vanbench.data.summary import NO_USE
from vanbench.devices import default_batch_size
from vanbench.errors import RecordError, ScoringError, VanbenchError
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.predict import BatchPredictions
from vanbench.evaluation.resume import State, StoredRuns
from vanbench.evaluation.sharing import Computation, lead
from vanbench.outside.safe_text import for_terminal
from vanbench.prediction_store.prediction import Tally
from vanbench.report.records import Forward, Times

MOST_ROUNDS = 5  # how often predictions that another process deleted are computed again


class Collected:
    """Running tallies and failures as the batches come; every batch is stored."""

    def __init__(
        self,
        runs: StoredRuns,
        names: Sequence[str],
        processes: int,
        on_note: Callable[[str], None],
    ):
        self.runs, self.on_note = runs, on_note
        self.tallies = {name: Tally() for name in names}
        self.choices: Mapping[str, Mapping[bytes, tuple[int, ...]]] = {}
        self.failures: dict[str, VanbenchError] = {}
        self.times = [Times()] * processes
        self.forward: dict[str, Forward] = {}
        self._warm: set[int] = set()  # the ranks that have computed a batch
        self.reduced: dict[str, int] = {}
        self.cache = NO_USE
        self.computed, self.done = 0, 0

    def read(self) -> State:
        """What is stored now; the tallies are those of it."""
        state = self.runs.state(self.tallies)
        self.tallies, self.choices = dict(state.tallies), state.choices
        missing = set().union(*map(set, state.missing.values()))
        self.done = len(self.runs.indices) - len(missing)
        return state

    def add(self, rank: int, batch: BatchPredictions) -> None:
        """Store and count what the process of that rank predicted."""
        start = perf_counter()
        if rank in self._warm:
            for name, seconds in batch.seconds.items():
                before = self.forward.get(name, Forward(0, 0.0))
                self.forward[name] = before + Forward(len(batch.indices), seconds)
        self._warm.add(rank)
        self._add(batch)
        self.times[rank] += batch.times
        self.times[0] += Times(bookkeeping=perf_counter() - start)

    def batch_sizes(self, computation: Computation) -> Mapping[str, int]:
        """How many images at once each model computed at the end."""
        options = computation.options
        usual = options.batch_size or default_batch_size(computation.device)
        return {name: self.reduced.get(name, usual) for name in self.tallies}

    def _add(self, batch: BatchPredictions) -> None:
        self.done += len(batch.indices)
        self.computed += len(batch.indices)
        for name, size in batch.reduced.items():
            self.reduced[name] = min(size, self.reduced.get(name, size))
        if batch.cache.failure and not self.cache.failure:
            self.on_note(f"No more decoded images are kept: {batch.cache.failure}.")
        self.cache += batch.cache
        for name, error in batch.failures.items():
            self.failures[name] = error
            self.tallies.pop(name, None)
        readable = torch.tensor([i not in batch.unreadable for i in batch.indices], device="cpu")
        for name in [name for name in batch.top if name in self.tallies]:
            finite = batch.logits[name].isfinite().all(dim=1)
            if bool((readable & ~finite).any()):
                bad = batch.indices[int((readable & ~finite).nonzero()[0])]
                image = self.runs.images.names[bad]
                shown = for_terminal(image, most=200)
                self.failures[name] = ScoringError(f"logits are not finite for image {shown}")
                del self.tallies[name]
        names = [name for name in batch.top if name in self.tallies]
        for name, tally in self.runs.add(batch, names).items():
            self.tallies[name] += tally

    def kept(self, options: RunOptions) -> str:
        """What an interruption leaves, and how to go on."""
        stored = {name: t.images - len(self.runs.unreadable) for name, t in self.tallies.items()}
        if options.store is None or not any(stored.values()):
            return "No predictions are kept. The same command starts from the beginning."
        count = sum(stored.values())
        of = ", ".join(stored) if len(stored) < 3 else f"{len(stored)} models"
        again = "Without --fresh, the same command" if options.fresh else "The same command"
        return f"{count:,} predictions of {of} are kept in {options.store}. {again} continues."

    def note(self) -> str:
        """Running Top-1 of each model."""
        return "  ".join(
            f"{name.split('.')[0]} {tally.top1:.2f}"
            for name, tally in self.tallies.items()
            if tally.images
        )


def batches_left(
    collected: Collected, state: State, computation: Computation
) -> Generator[tuple[int, BatchPredictions], None, None]:
    """The predictions that are not stored yet, with who made them, until all are stored.

    ``state`` is what is stored at the start. What another process deletes in the meantime is
    computed again.
    """
    for _ in range(MOST_ROUNDS):
        if state.complete:
            return
        yield from lead(computation, collected.runs.work(state), collected.tallies)
        state = collected.read()
    if not state.complete:
        raise RecordError(
            "predictions disappear while they are computed",
            where=computation.options.store,
            remedy="Another process deletes them. Run the command again when it has ended.",
        )
