"""A reported figure: which texts are one, and what it equals."""

from decimal import Decimal
from fractions import Fraction
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.zoo.reported import Reported

NOT_PLAIN = [
    "", " ", ".", "5.", ".5", "abc", "1,0", "1.0.0", "1 000", "75.41 ", "\n75", "75.41\n",
    "nan", "NaN", "sNaN", "inf", "Infinity", "-inf", "1e5", "1E-3", "1e999999999", "1e-999999999",
    "1_000", "0x10", "1/3", "+75.41", "-75.41", "-0", "−1", "٧٥.٤١", "７５", "²", "75%", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_PLAIN, ids=lambda text: repr(text)[:20])
def test_only_plain_decimal_digits_are_a_figure(text):
    start = perf_counter()
    with pytest.raises(ValueError, match="expected digits with at most one decimal point"):
        Reported(text)
    assert perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("text", "value", "decimals"),
    [
        ("0", 0, 0),
        ("100", 100, 0),
        ("82.80", Fraction(828, 10), 2),
        ("0.000863", Fraction(863, 10**6), 6),
        ("007.0", 7, 1),
    ],
)
def test_value_and_precision(text, value, decimals):
    figure = Reported(text)
    assert (figure.value, figure.decimals, str(figure)) == (value, decimals, text)


@given(st.decimals(0, 999, places=2), st.integers(0, 4))
def test_a_number_equals_its_own_rounding(number, decimals):
    assert Reported(f"{abs(number):.{decimals}f}").equals(Fraction(number))


@given(st.integers(0, 10**6), st.integers(0, 4))
def test_the_text_keeps_the_value(digits, decimals):
    text = f"{Decimal(digits).scaleb(-decimals):f}"
    assert Reported(text).value == Fraction(digits, 10**decimals)
    assert Reported(text).decimals == decimals


def test_a_tie_equals_both_roundings_and_nothing_beyond():
    assert Reported("75.40").equals(Fraction(75405, 1000))
    assert Reported("75.41").equals(Fraction(75405, 1000))
    assert not Reported("75.41").equals(Fraction(754049, 10000))
