"""Estimates, intervals and conclusions; each planted mistake is the one that is named first."""

import pytest

from tests.support.mistakes import PLANTED, assert_named_first, choices, top1
from vanbench.diagnosis.ranking import COUNT, DIFFERENCE, RATE, diagnose
from vanbench.diagnosis.trial import AS_IS, TrialResult
from vanbench.intervals import wilson_interval
from vanbench.zoo.reported import Reported


@pytest.mark.parametrize("name", PLANTED)
def test_a_mistake_on_the_demo_is_named_first_or_said_to_have_no_effect(name, demo):
    found, model, encoded, labels = demo
    target = top1(choices(model, encoded, **PLANTED[name]), labels)
    if found.right[name] != found.right[AS_IS]:
        assert_named_first(found, target, name)
    else:
        diagnosis = diagnose(found, target)
        assert diagnosis.explanations[0].name == AS_IS
        assert "These images cannot rule out: " in diagnosis.conclusion
        assert name in diagnosis.conclusion
        assert next(e for e in diagnosis.explanations if e.name == name).without_effect


def test_most_mistakes_have_an_effect_on_the_demo(demo):
    found = demo[0]
    assert sum(found.right[name] != found.right[AS_IS] for name in PLANTED) >= 7


def test_what_is_right_needs_no_mistake(demo):
    diagnosis = diagnose(demo[0], Reported("95.83"))
    assert diagnosis.conclusion.startswith(f"No mistake is needed: {AS_IS} gives 95.83.")


def test_what_no_mistake_gives_is_said_so(demo):
    """Also that several mistakes at once were not tried."""
    diagnosis = diagnose(demo[0], Reported("31.00"))
    nearest = diagnosis.explanations[0]
    assert diagnosis.conclusion == (
        f"None of the mistakes tried would alone give 31.00; nearest is {nearest.name}, "
        f"{abs(nearest.estimate.top1 - 31):.2f} points away. Other mistakes, and several at once, "
        "were not tried."
    )


def test_a_sample_gives_intervals_that_hold_the_whole_sets_figures(demo):
    found = demo[0]
    part = TrialResult({name: right[::2] for name, right in found.right.items()}, 360, {})
    for reported, anchored in (
        (None, False),
        (Reported("95.83"), True),
        (Reported("50.00"), False),
    ):
        diagnosis = diagnose(part, Reported("92.22"), reported)
        assert diagnosis.anchored is anchored
        for e in diagnosis.explanations:
            assert e.estimate.low <= 100 * sum(found.right[e.name]) / 360 <= e.estimate.high
        assert next(e for e in diagnosis.explanations if e.name == "mean and std of ImageNet").fits


def test_differences_are_more_precise_than_rates(demo):
    part = TrialResult({name: right[::2] for name, right in demo[0].right.items()}, 360, {})
    widths = [
        {e.name: e.estimate.high - e.estimate.low for e in diagnose(part, *figures).explanations}
        for figures in ((Reported("92.22"),), (Reported("92.22"), Reported("95.83")))
    ]
    for name in ("short edge 35", "short edge 33", "mean and std of ImageNet"):
        assert widths[1][name] < widths[0][name]


def sampled(as_is, **mistakes):
    """A trial in which a mistake has (gained, lost) relative to the first ``as_is`` right of 300."""
    right = {AS_IS: [i < as_is for i in range(300)]}
    for name, (gained, lost) in mistakes.items():
        right[name] = [
            not r if (r and i < lost) or (not r and i >= 300 - gained) else r
            for i, r in enumerate(right[AS_IS])
        ]
    return TrialResult(right, 50_000, {})


def estimates(trial, reported):
    found = diagnose(trial, Reported("50.00"), reported)
    return {e.name: e.estimate for e in found.explanations}


def test_an_estimate_does_not_contradict_its_own_counts():
    """None of 300 was put at 3.51 (0.00–9.15), and a class order at −1.41."""
    found = estimates(sampled(226, none=(0, 226), few=(0, 225)), Reported("78.84"))
    assert (found["none"].top1, found["none"].low, found["none"].source) == (0.0, 0.0, RATE)
    assert found["none"].high == wilson_interval(0, 300)[1] < 1.3
    found = estimates(sampled(230, none=(0, 230)), Reported("75.20"))
    assert found["none"].top1 == 0.0


def test_estimates_are_within_their_intervals_and_percentages():
    for as_is in (0, 1, 150, 226, 299, 300):
        low, high = wilson_interval(as_is, 300)
        for anchor in (f"{low + 0.01:.2f}", f"{(low + high) / 2:.2f}", f"{high - 0.01:.2f}"):
            changes = {
                f"{gained} {lost}": (gained, lost)
                for gained in {0, 1, (300 - as_is) // 2, 300 - as_is}
                for lost in {0, 1, as_is // 2, as_is}
                if gained <= 300 - as_is and lost <= as_is
            }
            trial = sampled(as_is, **changes)
            for name, e in estimates(trial, Reported(anchor)).items():
                rate_low, rate_high = wilson_interval(sum(trial.right[name]), 300)
                assert 0 <= e.low <= e.top1 <= e.high <= 100
                assert rate_low <= e.top1 <= rate_high
                assert e.high - e.low <= rate_high - rate_low
                assert e.source in (RATE, DIFFERENCE)


def test_the_narrower_interval_is_taken():
    found = estimates(sampled(226, small=(2, 5), large=(10, 120)), Reported("75.40"))
    assert found["small"].source == DIFFERENCE
    assert found["small"].top1 == pytest.approx(75.40 - 100 * 3 / 302, abs=1e-9)
    assert found["large"].source == RATE


def test_where_every_image_was_seen_nothing_is_estimated(demo):
    for e in diagnose(demo[0], Reported("92.22"), Reported("95.83")).explanations:
        assert e.estimate.low == e.estimate.top1 == e.estimate.high
        assert e.estimate.source == COUNT
        assert e.as_json()["estimated_from"] == "count"


def test_several_that_fit_are_all_named():
    conclusion = diagnose(sampled(226, one=(1, 5), two=(2, 6)), Reported("74.00")).conclusion
    assert conclusion.startswith("No mistake is needed")
    trial = sampled(226, one=(0, 100), two=(0, 101))
    conclusion = diagnose(trial, Reported("42.00")).conclusion
    assert conclusion.startswith(
        "2 of the mistakes tried fit 42.00, and these images cannot tell them apart: "
        "one; two. A larger --sample may tell. Other mistakes"
    )
