"""A published figure: text with a precision, compared as an exact fraction."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction


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
        """The exact value."""
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
