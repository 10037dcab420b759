"""How far the benchmark of one model is, in seconds of work."""

from collections.abc import Callable, Sequence

from vanbench.progress import Update

REST = 20.0  # about how many seconds the warm-up, the ceiling and the memory take


def ignore_seconds(seconds: float) -> None:
    """A listener that does nothing."""


def expected_seconds(seconds: float) -> float:
    """About how long the benchmark of one model takes, with so many seconds of timed runs."""
    return seconds + REST


class Steps:
    """Reports how much of the work is done, in milliseconds, and what is measured now.

    The timed runs take ``seconds``, the same for each of the batch sizes.
    """

    def __init__(self, seconds: float, batch_sizes: Sequence[int], progress: Update):
        self.seconds, self.batch_sizes, self.progress = seconds, batch_sizes, progress

    def of_batch(self, batch: int) -> Callable[[float], None]:
        """What to call while a batch size is timed: the sizes before it are done."""
        number = self.batch_sizes.index(batch)
        before = number * self.seconds / len(self.batch_sizes)
        return lambda seconds: self._report(before + seconds, f"batch {batch}")

    def rest(self, number: int, note: str) -> None:
        """One of the three parts that come after the timed runs."""
        self._report(self.seconds + number * REST / 3, note)

    def _report(self, seconds: float, note: str) -> None:
        total = expected_seconds(self.seconds)
        self.progress(round(1000 * seconds), round(1000 * total), note)
