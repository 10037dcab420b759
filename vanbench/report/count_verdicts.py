"""What counts say about the published ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.verdicts import NOT_REPORTED, judge, worst
from vanbench.zoo.entries import Claims, Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity


@dataclass(frozen=True)
class CountVerdicts:
    """The verdict on the parameters and on the FLOPs.

    ``flops`` is None where they were counted at another resolution than the published ones are for.
    """

    params: str
    flops: str | None

    @property
    def model(self) -> str:
        """The worst of them, or ``not reported``."""
        return worst(self._reported) if any(self._reported) else NOT_REPORTED

    @property
    def _reported(self) -> tuple[str, ...]:
        verdicts: Iterable[str] = filter(None, (self.params, self.flops))
        return tuple(verdict for verdict in verdicts if verdict != NOT_REPORTED)


def judge_counts(entry: Entry, complexity: "Complexity") -> CountVerdicts:
    """The verdicts on what was counted of a model."""
    claims = entry.claims
    right = entry.erratum.corrected if entry.erratum else Claims()
    params = Fraction(params_as(entry.counting, complexity), 10**6)
    flops = Fraction(flops_as(entry.counting, complexity), 10**9)
    comparable = complexity.resolution == entry.counting.resolution
    return CountVerdicts(
        judge(params, claims.params_m, corrected=right.params_m),
        judge(flops, claims.flops_g, corrected=right.flops_g) if comparable else None,
    )
