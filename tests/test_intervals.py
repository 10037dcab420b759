"""Intervals and tests of proportions against exact sums, scipy, and the definitions."""

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vanbench.intervals import Z, mcnemar, paired_difference, wilson_interval


def exact_p(gained, lost):
    """Twice the sum of the binomial distribution, as a fraction."""
    n, k = gained + lost, min(gained, lost)
    return min(Fraction(1), Fraction(2 * sum(math.comb(n, i) for i in range(k + 1)), 2**n))


def test_mcnemar_is_the_exact_sum_for_every_small_pair():
    for gained in range(60):
        for lost in range(60):
            assert mcnemar(gained, lost) == float(exact_p(gained, lost))


@pytest.mark.parametrize(("gained", "lost"), [(300, 350), (0, 900), (411, 503), (777, 778)])
def test_mcnemar_is_the_exact_sum_for_larger_pairs(gained, lost):
    assert mcnemar(gained, lost) == float(exact_p(gained, lost))
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


@pytest.mark.parametrize(
    ("gained", "lost"), [(20_000, 21_000), (20_000, 20_500), (24_000, 26_000), (10, 40)]
)
def test_mcnemar_agrees_with_scipy(gained, lost):
    expected = binomtest(gained, gained + lost, 0.5).pvalue
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-10)


def test_mcnemar_of_a_whole_imagenet_takes_less_than_five_seconds():
    """The sum of all terms took 161 s."""
    start = time.perf_counter()
    assert mcnemar(20_000, 21_000) == pytest.approx(8.058578026792959e-07, rel=1e-14)
    assert mcnemar(25_000, 25_000) == 1.0
    assert mcnemar(0, 50_000) == 0.0  # smaller than the smallest float
    assert time.perf_counter() - start < 5


@given(st.integers(1, 60_000), st.data())
def test_wilsons_interval_contains_the_proportion_within_its_bounds(total, data):
    correct = data.draw(st.integers(0, total) | st.sampled_from([0, total]))
    low, high = wilson_interval(correct, total)
    assert 0.0 <= low <= 100 * correct / total <= high <= 100.0


@pytest.mark.parametrize("total", [1, 2, 3, 7, 10, 49, 300, 10_000, 49_999, 50_000])
def test_wilsons_interval_of_none_and_of_all(total):
    assert wilson_interval(0, total)[0] == 0.0
    assert wilson_interval(total, total)[1] == 100.0


@pytest.mark.parametrize(("correct", "total"), [(1, 3), (37705, 50000), (250, 1000)])
def test_wilsons_interval_solves_its_equation(correct, total):
    """At each bound p, |correct/total − p| is Z standard deviations of p."""
    for bound in wilson_interval(correct, total):
        p = bound / 100
        distance = abs(correct / total - p)
        assert distance == pytest.approx(Z * math.sqrt(p * (1 - p) / total), rel=1e-9)


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_proportion_has_no_interval(correct, total):
    with pytest.raises(ValueError, match="expected a proportion"):
        wilson_interval(correct, total)


def test_the_interval_of_a_paired_difference_covers_the_truth():
    rng = np.random.default_rng(0)
    gained, lost = rng.multinomial(500, [0.02, 0.06, 0.92], size=4000).T[:2]
    covered = 0
    for b, c in zip(gained.tolist(), lost.tolist(), strict=True):
        centre, half = paired_difference(b, c, 500)
        covered += abs(centre + 4.0) <= half
    assert 0.935 < covered / 4000 < 0.975
    assert pytest.approx(1.96, abs=1e-3) == Z
