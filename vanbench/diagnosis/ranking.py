"""Which mistake would give a Top-1: the figure that each gives, ranked by how near it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vanbench.diagnosis.diagnosis_json import DiagnosisJson, ExplanationJson
from vanbench.diagnosis.trial import AS_IS, TrialResult
from vanbench.intervals import paired_difference, wilson_interval
from vanbench.zoo.reported import Reported

COUNT, RATE, DIFFERENCE = "count", "rate", "difference"
NOT_TRIED = "Other mistakes, and several at once, were not tried."


@dataclass(frozen=True)
class Estimate:
    """A Top-1 in percent with its 95 % interval, which has no width when every image was used.

    ``source`` is ``count`` where every image was used, ``rate`` where the figure is the share of
    right images in the sample, and ``difference`` where it is the reported figure plus the
    difference that the mistake makes on the sample.
    """

    top1: float
    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Explanation:
    """What one mistake gives: ``correct`` of the sampled images, and what the complete set would.

    ``fits`` says whether that is the figure to be explained, as far as the sample can tell.
    ``same_as`` names what is right and wrong on the very same images.
    """

    name: str
    correct: int
    estimate: Estimate
    distance: float
    fits: bool
    same_as: tuple[str, ...]

    @property
    def without_effect(self) -> bool:
        """Whether the same images are right as without this mistake."""
        return AS_IS in self.same_as

    def as_json(self) -> ExplanationJson:
        """The JSON form."""
        return {
            "name": self.name,
            "correct": self.correct,
            "top1": self.estimate.top1,
            "ci95": [self.estimate.low, self.estimate.high],
            "estimated_from": self.estimate.source,
            "distance": self.distance,
            "fits": self.fits,
            "same_as": list(self.same_as),
        }


@dataclass(frozen=True)
class Diagnosis:
    """The explanations of ``target``, nearest first, from ``images`` of ``total`` images.

    ``untried`` has the mistakes that cannot be made here, with the reason. ``anchored`` says that
    the sample agrees with the reported figure, so that an estimate may be that figure plus the
    difference that a mistake makes on the sample. ``data`` has what is wrong with the data set.
    """

    target: Reported
    images: int
    total: int
    anchored: bool
    explanations: tuple[Explanation, ...]
    untried: Mapping[str, str]
    data: tuple[str, ...]

    @property
    def conclusion(self) -> str:
        """Which of the mistakes would give the figure, or that these images cannot tell."""
        fitting = [e.name for e in self.explanations if e.fits]
        nearest = self.explanations[0]
        if not fitting:
            return (
                f"None of the mistakes tried would alone give {self.target}; nearest is "
                f"{nearest.name}, {nearest.distance:.2f} points away. {NOT_TRIED}"
            )
        more = "" if self.images == self.total else " A larger --sample may tell."
        if AS_IS in fitting:
            others = [name for name in fitting if name != AS_IS]
            doubt = f" These images cannot rule out: {'; '.join(others)}.{more}" if others else ""
            verb = "gives" if self.images == self.total else "fits"
            return f"No mistake is needed: {AS_IS} {verb} {self.target}.{doubt}"
        if len(fitting) == 1:
            return f"One of the mistakes tried would give {self.target}: {fitting[0]}. {NOT_TRIED}"
        return (
            f"{len(fitting)} of the mistakes tried fit {self.target}, and these images cannot tell "
            f"them apart: {'; '.join(fitting)}.{more} {NOT_TRIED}"
        )

    def as_json(self, name: str) -> DiagnosisJson:
        """The JSON form; ``name`` is the model's."""
        return {
            "name": name,
            "target": float(self.target.value),
            "images": self.images,
            "total": self.total,
            "anchored": self.anchored,
            "conclusion": self.conclusion,
            "explanations": [explanation.as_json() for explanation in self.explanations],
            "untried": dict(self.untried),
            "data": list(self.data),
        }


def diagnose(trial: TrialResult, target: Reported, reported: Reported | None = None) -> Diagnosis:
    """What would give ``target`` as Top-1, nearest first.

    ``reported`` is what the protocol is known to give, when that is not itself the target: a
    mistake's difference to it can be more precise than its rate on a sample.
    """
    complete = trial.images == trial.total
    anchor = None if complete or not _agrees(trial.right[AS_IS], reported) else reported
    explanations = [_explain(name, trial, target, complete, anchor) for name in trial.right]
    return Diagnosis(
        target=target,
        images=trial.images,
        total=trial.total,
        anchored=anchor is not None,
        explanations=tuple(sorted(explanations, key=lambda e: (not e.fits, e.distance))),
        untried=trial.untried,
        data=tuple(trial.data),
    )


def _agrees(as_is: Sequence[bool], reported: Reported | None) -> bool:
    """Whether the sample can come from a set on which the protocol gives the reported figure."""
    low, high = wilson_interval(sum(as_is), len(as_is))
    return reported is not None and low <= reported.value <= high


def _estimate(
    right: Sequence[bool], as_is: Sequence[bool], complete: bool, anchor: Reported | None
) -> Estimate:
    """The Top-1 over the complete set: counted, or from the sample's rate or its difference.

    Of the two, the one with the narrower interval, but a difference only where it does not
    contradict the rate. All is within 0 and 100, and the estimate within its interval.
    """
    n, correct = len(right), sum(right)
    rate = 100 * correct / n
    if complete:
        return Estimate(rate, rate, rate, COUNT)
    low, high = wilson_interval(correct, n)
    if anchor is not None:
        gained = sum(a > b for a, b in zip(right, as_is, strict=True))
        lost = sum(a < b for a, b in zip(right, as_is, strict=True))
        difference, half = paired_difference(gained, lost, n)
        centre = float(anchor.value) + difference
        if 2 * half < high - low and low <= centre <= high:
            return Estimate(centre, max(0.0, centre - half), min(100.0, centre + half), DIFFERENCE)
    return Estimate(rate, low, high, RATE)


def _explain(
    name: str, trial: TrialResult, target: Reported, complete: bool, anchor: Reported | None
) -> Explanation:
    right = trial.right[name]
    estimate = _estimate(right, trial.right[AS_IS], complete, anchor)
    slack = Fraction(1, 2 * 10**target.decimals)
    within = estimate.low - slack <= target.value <= estimate.high + slack
    return Explanation(
        name=name,
        correct=sum(right),
        estimate=estimate,
        distance=abs(estimate.top1 - float(target.value)),
        fits=target.equals(Fraction(100 * sum(right), len(right))) if complete else within,
        same_as=tuple(n for n, other in trial.right.items() if other == right and n != name),
    )
