"""How far the benchmark of several runtimes is, in seconds of work."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vanbench.progress import Update
from vanbench.runtimes import names

if TYPE_CHECKING:
    from vanbench.benchmark.runtime_cases import Case

START = 8.0  # about how many seconds a process takes to start up and to warm up
COMPILING = 90.0  # and one that compiles, in addition


def expected_runtimes_seconds(seconds: float, runs: int, compiling: int) -> float:
    """About how long one model takes in so many runs, of which some compile."""
    return seconds + runs * START + compiling * COMPILING


class RuntimeSteps:
    """As ``Steps``, for the runs of several runtimes: they start first, then take turns."""

    def __init__(
        self,
        cases: "Sequence[Case]",
        seconds: float,
        batch_sizes: Sequence[int],
        progress: Update,
    ):
        self.cases, self.seconds = cases, seconds
        self.batch_sizes, self.progress = batch_sizes, progress

    def starting(self, case: "Case") -> None:
        """What to call before a run starts."""
        number = self.cases.index(case)
        self._report(self._starts(number), f"starting {case.runtime} {case.precision}")

    def of_batch(self, batch: int) -> Callable[[float], None]:
        """As ``Steps.of_batch``; the runs have started."""
        number = self.batch_sizes.index(batch)
        before = self._starts(len(self.cases)) + number * self.seconds / len(self.batch_sizes)
        return lambda seconds: self._report(before + seconds, f"batch {batch}")

    def _starts(self, number: int) -> float:
        """Seconds that the first runs take to start."""
        compiling = sum(case.runtime == names.COMPILED for case in self.cases[:number])
        return expected_runtimes_seconds(0, number, compiling)

    def _report(self, seconds: float, note: str) -> None:
        total = self.seconds + self._starts(len(self.cases))
        self.progress(round(1000 * seconds), round(1000 * total), note)
