"""The JSON form of a diagnosis."""

from typing_extensions import TypedDict


class ExplanationJson(TypedDict):
    """What one mistake gives."""

    name: str
    """The mistake, in words."""
    correct: int
    """How many of the sampled images are right with it."""
    top1: float
    """Top-1 in percent that it would give over the complete set."""
    ci95: list[float]
    """The 95 % interval of ``top1``: two percentages."""
    estimated_from: str
    """What ``top1`` is from: ``count`` where every image was used, ``rate`` for the share of the
    sample, ``difference`` for the reported figure plus the mistake's difference on the sample."""
    distance: float
    """How far ``top1`` is from ``target``, in points."""
    fits: bool
    """Whether it gives ``target``, as far as the sample can tell."""
    same_as: list[str]
    """The mistakes with which the very same images are right."""


class DiagnosisJson(TypedDict):
    """Which mistake would give an unexpected Top-1."""

    name: str
    """The model, ARCH.TAG."""
    target: float
    """The Top-1 to explain, in percent."""
    images: int
    """How many images were run."""
    total: int
    """How many images the set has."""
    anchored: bool
    """Whether the sample agrees with the reported figure, so that estimates may start from it."""
    conclusion: str
    """What was found, in words."""
    explanations: list[ExplanationJson]
    """The mistakes, nearest first; the first fitting one is the likeliest."""
    untried: dict[str, str]
    """The mistakes that cannot be made here, with the reason."""
    data: list[str]
    """What is wrong with the data set."""
