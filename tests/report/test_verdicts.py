from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.intervals import wilson_interval
from vanbench.report import verdicts as s
from vanbench.report.verdicts import judge, worst
from vanbench.zoo.reported import Reported


@pytest.mark.parametrize(
    ("correct", "reported", "verdict"),
    [
        (37705, "75.41", s.REPRODUCED),  # exactly 75.41
        (37703, "75.41", s.REPRODUCED),  # 75.406
        (37702, "75.41", s.CLOSE),  # 75.404 rounds to 75.40
        (37680, "75.41", s.CLOSE),  # exactly 0.05 below
        (37679, "75.41", s.DEVIATES),
        (37730, "75.41", s.CLOSE),
        (37731, "75.41", s.DEVIATES),
    ],
)
def test_top1_verdict_at_the_edges(correct, reported, verdict):
    measured = Fraction(100 * correct, 50000)
    assert judge(measured, Reported(reported), tolerance=s.CLOSE_POINTS) == verdict


def test_trailing_zeros_are_precision():
    measured = Fraction(8277, 100)
    assert judge(measured, Reported("82.80")) == s.DEVIATES
    assert judge(measured, Reported("82.8")) == s.REPRODUCED


def test_a_tie_may_round_either_way():
    measured = Fraction(75405, 1000)
    assert judge(measured, Reported("75.40")) == judge(measured, Reported("75.41")) == s.REPRODUCED


def test_erratum_needs_the_recorded_correction():
    wrong, right = Reported("283.9"), Reported("199.83")
    measured = Fraction(199829416, 10**6)
    assert judge(measured, wrong, corrected=right) == s.ERRATUM
    assert judge(measured, wrong) == s.DEVIATES
    assert judge(Fraction(2839, 10), wrong, corrected=right) == s.REPRODUCED
    assert judge(Fraction(250), wrong, corrected=right) == s.DEVIATES


def test_counts_have_no_tolerance():
    assert judge(Fraction(412, 100), Reported("4.11")) == s.DEVIATES


def test_what_is_missing():
    assert judge(None, Reported("1.0")) == s.NOT_MEASURED
    assert judge(None, None) == s.NOT_REPORTED
    assert judge(Fraction(1), None) == s.NOT_REPORTED


def test_partial_is_never_reproduced():
    assert judge(Fraction(1), Reported("1"), partial=True) == s.PARTIAL


def test_what_nobody_reported_is_not_partial():
    assert judge(Fraction(1), None, partial=True) == s.NOT_REPORTED


def test_worst_verdict_stands_for_the_model():
    assert worst([s.REPRODUCED, s.CLOSE]) == s.CLOSE
    assert worst([s.NOT_MEASURED, s.DEVIATES, s.ERRATUM]) == s.DEVIATES
    assert worst([s.NOT_REPORTED, s.REPRODUCED]) == s.REPRODUCED
    assert worst([s.ERRATUM, s.NOT_REPORTED]) == s.ERRATUM


@given(st.integers(1, 10**5), st.data())
def test_wilson_interval_solves_its_equation(total, data):
    """Its ends are where the score test is just significant: (p̂ − p)² = z² p (1 − p) / n."""
    correct = data.draw(st.integers(0, total))
    p_hat, z = correct / total, 1.959963984540054
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= 100 * p_hat + 1e-9
    assert 100 * p_hat - 1e-9 <= high <= 100
    for p in (low / 100, high / 100):
        assert (p_hat - p) ** 2 == pytest.approx(z * z * p * (1 - p) / total, abs=1e-9)
