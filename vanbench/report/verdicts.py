"""Rates, intervals and verdicts: pure numbers, exact where exactness decides.

A reported number is text with a precision; a measured one is an integer count or a ratio of two.
Both are compared as fractions, so no rounding of a float can change a verdict.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

REPRODUCED = "reproduced"
CLOSE = "close"
ERRATUM = "erratum"
DEVIATES = "deviates"
NOT_MEASURED = "not measured"
NOT_REPORTED = "not reported"
PARTIAL = "partial"

# Worst first: the verdict for a model is the first of these that any of its numbers has.
SEVERITY = (DEVIATES, NOT_MEASURED, PARTIAL, CLOSE, ERRATUM, REPRODUCED, NOT_REPORTED)

CLOSE_POINTS = Fraction(5, 100)  # Top-1/Top-5 percentage points, from the contract


@dataclass(frozen=True)
class Reported:
    """A published figure, kept as printed.

    >>> Reported("82.80").decimals
    2
    >>> Reported("82.80").value == Fraction(8280, 100)
    True
    """

    text: str

    def __post_init__(self) -> None:
        try:
            finite = Decimal(self.text).is_finite()
        except InvalidOperation:
            finite = False
        if not finite:
            raise ValueError(f"not a decimal number: {self.text!r}")

    @property
    def value(self) -> Fraction:
        return Fraction(self.text)

    @property
    def decimals(self) -> int:
        """How many digits are printed after the decimal point."""
        exponent = Decimal(self.text).as_tuple().exponent
        return max(0, -int(exponent))

    def equals(self, measured: Fraction) -> bool:
        """Whether ``measured`` rounds to the printed digits; a tie may round either way.

        >>> Reported("4.11").equals(Fraction(4105800, 10**6))
        True
        """
        return abs(measured - self.value) <= Fraction(1, 2 * 10**self.decimals)

    def __str__(self) -> str:
        return self.text


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
    if partial:
        return PARTIAL
    if reported is None:
        return NOT_REPORTED
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


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion, in percent.

    Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927); z is the 97.5 % quantile of the normal distribution.

    >>> [round(x, 3) for x in wilson_interval(37705, 50000)]
    [75.031, 75.785]
    """
    z = 1.959963984540054
    p = correct / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    spread = math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    half = z * spread / (1 + z * z / total)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)
