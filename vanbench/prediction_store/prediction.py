"""A prediction, and how predictions are counted: the one place for the rules of Top-1 and Top-5."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Label = TypeVar("Label", int, str)

TOP = 5
"""How many classes of an image are kept, and how many count for Top-5."""


@dataclass(frozen=True)
class Prediction:
    """The classes that a model prefers for an image, best first, with their logits."""

    top: tuple[int, ...]
    logits: tuple[float, ...]


def is_correct1(label: Label, top: Sequence[Label]) -> bool:
    """Whether the first choice is right."""
    return label in top[:1]


def is_correct5(label: Label, top: Sequence[Label]) -> bool:
    """Whether one of the five first choices is right."""
    return label in top[:TOP]


@dataclass(frozen=True)
class Tally:
    """Integer counts of one model; percentages are computed where they are shown."""

    images: int = 0
    correct1: int = 0
    correct5: int = 0

    @classmethod
    def of(cls, answers: Iterable[tuple[int, Sequence[int]]]) -> "Tally":
        """Count (label, classes best first) pairs, one per image.

        >>> Tally.of([(3, (3, 1, 2)), (2, (0, 1, 2)), (9, ())])
        Tally(images=3, correct1=1, correct5=2)
        """
        images = correct1 = correct5 = 0
        for label, top in answers:
            images += 1
            correct1 += is_correct1(label, top)
            correct5 += is_correct5(label, top)
        return cls(images, correct1, correct5)

    @classmethod
    def of_any(cls, answers: Iterable[tuple[Collection[int], Sequence[int]]]) -> "Tally":
        """Count (right labels, classes best first) pairs: each of the labels is as right.

        >>> Tally.of_any([({3, 7}, (7, 1, 2)), ({2}, (0, 1, 2)), ({9}, ())])
        Tally(images=3, correct1=1, correct5=2)
        """
        images = correct1 = correct5 = 0
        for labels, top in answers:
            images += 1
            correct1 += any(is_correct1(label, top) for label in labels)
            correct5 += any(is_correct5(label, top) for label in labels)
        return cls(images, correct1, correct5)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.images + other.images,
            self.correct1 + other.correct1,
            self.correct5 + other.correct5,
        )

    @property
    def top1(self) -> float:
        """Top-1 in percent."""
        return 100 * self.correct1 / self.images

    @property
    def top5(self) -> float:
        """Top-5 in percent."""
        return 100 * self.correct5 / self.images
