"""A published figure: text with a precision, compared as an exact fraction."""

import re
from dataclasses import dataclass
from fractions import Fraction

FIGURE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


@dataclass(frozen=True)
class Reported:
    """A published figure, kept as printed: digits, with a decimal point or none.

    ValueError for any other text.

    >>> Reported("82.80").decimals
    2
    >>> Reported("82.80").value == Fraction(8280, 100)
    True
    """

    text: str

    def __post_init__(self) -> None:
        if not FIGURE.fullmatch(self.text):
            raise ValueError(f"expected digits with at most one decimal point, found {self.text!r}")

    @property
    def value(self) -> Fraction:
        """The exact value."""
        return Fraction(self.text)

    @property
    def decimals(self) -> int:
        """How many digits are printed after the decimal point."""
        return len(self.text.partition(".")[2])

    def equals(self, measured: Fraction) -> bool:
        """Whether ``measured`` rounds to the printed digits; a tie may round either way.

        >>> Reported("4.11").equals(Fraction(4105800, 10**6))
        True
        """
        return abs(measured - self.value) <= Fraction(1, 2 * 10**self.decimals)

    def __str__(self) -> str:
        return self.text
