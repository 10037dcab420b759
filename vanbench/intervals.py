"""Confidence intervals and tests for proportions of correct images.

All intervals are of 95 %: ``Z`` is the 97.5 % quantile of the normal distribution.
"""

import math

Z = 1.959963984540054
SIGNIFICANT = 0.05
"""A smaller p-value is called more than chance."""


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion, in percent.

    It lies within 0 and 100 and contains ``100 * correct / total``, also after rounding to floats.
    ValueError if there is no such proportion. Wilson, "Probable inference, the law of succession,
    and statistical inference", JASA 22 (1927).

    >>> [round(x, 3) for x in wilson_interval(37705, 50000)]
    [75.031, 75.785]
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"expected a proportion, found {correct} of {total}")
    p = correct / total
    centre = (p + Z * Z / (2 * total)) / (1 + Z * Z / total)
    spread = math.sqrt(p * (1 - p) / total + Z * Z / (4 * total * total))
    half = Z * spread / (1 + Z * Z / total)
    percent = 100 * correct / total
    low = 0.0 if correct == 0 else max(0.0, 100 * (centre - half))
    high = 100.0 if correct == total else min(100.0, 100 * (centre + half))
    return min(low, percent), max(high, percent)


def paired_difference(gained: int, lost: int, n: int) -> tuple[float, float]:
    """The difference of two proportions over the same ``n`` images, and half its 95 % interval.

    In percentage points. Agresti and Min, "Simple improved confidence intervals for comparing
    matched proportions", Statistics in Medicine 24 (2005): half an image is added to each of four
    cells.

    >>> [round(x, 2) for x in paired_difference(20, 80, 2000)]
    [-3.0, 0.98]
    """
    b, c, m = gained + 0.5, lost + 0.5, n + 2
    spread = math.sqrt(b + c - (b - c) ** 2 / m) / m
    return 100 * (b - c) / m, 100 * Z * spread


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided exact p-value that ``gained`` and ``lost`` differ by chance alone.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947), with the binomial distribution in place of chi-squared.

    >>> mcnemar(0, 5)
    0.0625
    """
    n, k = gained + lost, min(gained, lost)
    term = tail = math.comb(n, k)
    for i in range(k, 0, -1):
        term = term * i // (n - i + 1)  # C(n, i − 1) from C(n, i): there is no remainder
        tail += term
        if term.bit_length() + 128 < tail.bit_length():
            break  # what is left does not change the result
    return min(1.0, 2 * tail / 2**n)
