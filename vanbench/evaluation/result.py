"""What a validation found: integer counts with what they were measured on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vanbench.data.summary import DataSummary
from vanbench.intervals import wilson_interval
from vanbench.report.records import Numerics, ValidationEnvironment
from vanbench.typed_json import Json, to_json
from vanbench.zoo.entries import EvaluationProtocol


@dataclass(frozen=True)
class Tally:
    """Integer counts of one model; percentages are made elsewhere."""

    images: int = 0
    correct1: int = 0
    correct5: int = 0

    @classmethod
    def of(cls, answers: Iterable[tuple[int, tuple[int, ...]]]) -> "Tally":
        """Count (label, classes best first) pairs, one per image.

        >>> Tally.of([(3, (3, 1, 2)), (2, (0, 1, 2)), (9, ())])
        Tally(images=3, correct1=1, correct5=2)
        """
        images = correct1 = correct5 = 0
        for label, top in answers:
            images += 1
            correct1 += label in top[:1]
            correct5 += label in top[:5]
        return cls(images, correct1, correct5)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.images + other.images,
            self.correct1 + other.correct1,
            self.correct5 + other.correct5,
        )


@dataclass(frozen=True)
class ValidationResult:
    """What one pass found: a tally or a reason for every model, and what it was measured on.

    ``seconds`` is the wall time of the pass, ``waited`` the part of it in which the models waited
    for images, ``computed`` how many images went through a model; the predictions for the others
    were stored before. ``partial`` says that not all images of the set were used.
    """

    tallies: Mapping[str, Tally]
    failures: Mapping[str, str]
    protocol: EvaluationProtocol
    data: DataSummary
    numerics: Numerics
    environment: ValidationEnvironment
    seconds: float
    waited: float
    computed: int
    partial: bool

    @property
    def images_per_s(self) -> float | None:
        """Images per second of the pass, through all its models; None if all was stored before."""
        return self.computed / self.seconds if self.computed else None

    def covers(self, images: int | None) -> bool:
        """Whether this is a whole run, over ``images`` unaltered images if that is given."""
        claimed = images is None or (self.data.whole and self.data.used == images)
        return claimed and not self.partial

    def data_json(self) -> Json:
        """The set and the protocol, for JSON."""
        document: Json = to_json(self.data)
        return document | {"protocol": to_json(self.protocol), "partial": self.partial}

    def describe(self) -> str:
        """Lines for people: the set with its protocol, warnings, and where the time went."""
        used, total = self.data.used, self.data.total
        part = f"{used:,} of {total:,} images" if used < total else f"{used:,} images"
        lines = [
            f"{part}{' (partial)' if self.partial else ''}, {self.data.layout}, "
            f"{self.data.verdict}; {self.protocol.describe()}."
        ]
        if self.data.unreadable:
            lines.append(f"{len(self.data.unreadable):,} unreadable images count as wrong.")
        if not self.environment.decoder.ok:
            lines.append(f"Warning: {self.environment.decoder.summary}.")
        return "\n".join([*lines, self._describe_time()])

    def _describe_time(self) -> str:
        stored = self.data.used - self.computed
        before = f"{stored:,} images were predicted before and are not computed again. "
        if not self.computed:
            return before + "Use --fresh to compute them again."
        waiting = 100 * self.waited / self.seconds
        hint = " More --workers would help." if waiting > 20 else ""
        return (
            f"{before if stored else ''}{self.images_per_s:.1f} images/s on "
            f"{self.environment.device}, {self.numerics.precision}, "
            f"{self.numerics.model} model; {waiting:.0f} % of the time was waiting for "
            f"images.{hint}"
        )

    def as_json(self, name: str) -> Json:
        """The form of ``validate --json`` for one model; ``ci95`` is Top-1's."""
        tally = self.tallies[name]
        return {
            "name": name,
            "images": tally.images,
            "correct1": tally.correct1,
            "correct5": tally.correct5,
            "top1": 100 * tally.correct1 / tally.images,
            "top5": 100 * tally.correct5 / tally.images,
            "ci95": list(wilson_interval(tally.correct1, tally.images)),
            "ci95_top5": list(wilson_interval(tally.correct5, tally.images)),
            "images_per_s": self.images_per_s,
            "partial": self.partial,
        }
