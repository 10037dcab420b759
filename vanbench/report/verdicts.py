"""Verdicts: what a measured number says about a reported one.

A reported number is text with a precision; a measured one is an integer count or a ratio of two.
Both are compared as fractions, so no rounding of a float can change a verdict.
"""

from collections.abc import Iterable
from fractions import Fraction

from vanbench.zoo.reported import Reported

REPRODUCED = "reproduced"
CLOSE = "close"
ERRATUM = "erratum"
DEVIATES = "deviates"
NOT_MEASURED = "not measured"
NOT_REPORTED = "not reported"
PARTIAL = "partial"

# Worst first: the verdict for a model is the first of these that any of its numbers has.
SEVERITY = (DEVIATES, NOT_MEASURED, PARTIAL, CLOSE, ERRATUM, REPRODUCED, NOT_REPORTED)

SYMBOLS = {
    REPRODUCED: "✓",
    CLOSE: "≈",
    ERRATUM: "!",
    DEVIATES: "✗",
    PARTIAL: "◐",
    NOT_MEASURED: "○",
    NOT_REPORTED: "",
}
"""One character for each verdict; a number that nobody reported has none."""

CLOSE_POINTS = Fraction(5, 100)  # Top-1/Top-5 percentage points, from the contract


def judge(
    measured: Fraction | None,
    reported: Reported | None,
    *,
    corrected: Reported | None = None,
    tolerance: Fraction = Fraction(0),
    partial: bool = False,
) -> str:
    """The verdict for one number; all arguments in the unit of the report.

    ``tolerance`` is how far off still counts as close; ``corrected`` is the zoo's erratum.

    >>> judge(Fraction(7544, 100), Reported("75.41"), tolerance=CLOSE_POINTS)
    'close'
    """
    if measured is None:
        return NOT_REPORTED if reported is None else NOT_MEASURED
    if reported is None:
        return NOT_REPORTED
    if partial:
        return PARTIAL
    if reported.equals(measured):
        return REPRODUCED
    if corrected is not None and corrected.equals(measured):
        return ERRATUM
    if tolerance and abs(measured - reported.value) <= tolerance:
        return CLOSE
    return DEVIATES


def worst(verdicts: Iterable[str]) -> str:
    """The one verdict that stands for several."""
    return min(verdicts, key=SEVERITY.index, default=NOT_MEASURED)
