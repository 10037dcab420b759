"""Accuracies in other precisions than fp32, as they are shown.

A published number is a claim about fp32, so that these stand beside the claims and are not judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from vanbench.intervals import SIGNIFICANT
from vanbench.report.coverage import why_partial
from vanbench.report.records import Accuracy, DifferenceFromFp32
from vanbench.report.rows import ModelRow

NOT_STORED = "fp32 predictions of these images are not stored, so that none was compared"


@dataclass(frozen=True)
class OtherAccuracy:
    """The accuracy of one model in one precision.

    ``delta1`` is its Top-1 minus that in fp32, in percentage points; None where that is not known.
    ``partial`` says why it is not over the images that the claim is about; None if it is.
    """

    model: str
    precision: str
    accuracy: Accuracy
    delta1: Fraction | None
    partial: str | None

    @property
    def top1(self) -> float:
        """Top-1 in percent."""
        return 100 * self.accuracy.correct1 / self.accuracy.images

    @property
    def top5(self) -> float:
        """Top-5 in percent."""
        return 100 * self.accuracy.correct5 / self.accuracy.images

    @property
    def delta_text(self) -> str:
        """``delta1`` with its sign and three decimals; empty if it is not known."""
        if self.delta1 is None:
            return ""
        text = f"{float(self.delta1):+.3f}".replace("-", "−")
        return text if float(text[1:]) else "±0"

    @property
    def compared(self) -> str:
        """What the comparison with fp32 found, as a clause."""
        found = self.accuracy.differs_from_fp32
        if found is None:
            return NOT_STORED
        others = f" (with another {', '.join(found.also_differs)})" if found.also_differs else ""
        runtime, whose, like = found.fp32_runtime, "fp32's", "in fp32"
        if runtime not in (None, self.accuracy.numerics.runtime):
            whose, like = f"those of {runtime} in fp32", f"{runtime} in fp32"
        if not found.different:
            return f"the same first choice as {like}{others} for all {found.images:,} images"
        verb = "differs" if found.different == 1 else "differ"
        return f"{found.different:,} of {found.images:,} Top-1 {verb} from {whose}{others}"

    def __str__(self) -> str:
        """All of it as a sentence without a period."""
        return f"{self.model} in {self.precision}: {self.found}"

    @property
    def found(self) -> str:
        """The accuracies, and what the comparison found."""
        change = f"{self.delta_text} to fp32" if self.delta_text else ""
        difference = self.accuracy.differs_from_fp32
        tested = _tested(difference) if difference and difference.different else ""
        more = f" ({', '.join(filter(None, (change, tested)))})" if change or tested else ""
        figures = f"Top-1 {self.top1:.3f} %{more}, Top-5 {self.top5:.3f} %"
        part = f"partial: {self.partial}" if self.partial else ""
        calibration = self.accuracy.numerics.calibration
        calibrated = calibration.text if calibration else ""
        return "; ".join(filter(None, (figures, self.compared, self.speed, calibrated, part)))

    @property
    def speed(self) -> str:
        """The speed beside that in fp32 on the same machine, as a clause.

        Where it is not known, the clause is what computed, unless that was torch.
        """
        mine, fp32 = self.accuracy.forward, self.accuracy.fp32_speed
        if mine is None or fp32 is None:
            versions = self.accuracy.numerics.versions
            return f"computed by {self.accuracy.numerics.runtime}" if versions else ""
        ratio = mine.images_per_s / fp32.images_per_s
        return (
            f"{mine.images_per_s:,.0f} images/s in {self.accuracy.numerics.runtime}, "
            f"{ratio:.2f} times the {fp32.images_per_s:,.0f} of fp32 in {fp32.runtime}"
        )


def other_accuracies(row: ModelRow) -> Iterator[OtherAccuracy]:
    """Those of a model, one for each precision."""
    for precision, accuracy in (row.record.other_precisions or {}).items():
        delta = _delta1(accuracy, row.record.accuracy)
        partial = why_partial(row.entry, accuracy)
        yield OtherAccuracy(row.entry.name, precision, accuracy, delta, partial)


def _delta1(accuracy: Accuracy, fp32: Accuracy | None) -> Fraction | None:
    """From the images that were compared, else from the fp32 accuracy over the same images."""
    found = accuracy.differs_from_fp32
    if found:
        return Fraction(100 * (found.only_this_right - found.only_fp32_right), found.images)
    if fp32 and (fp32.data.fingerprint, fp32.images) == (
        accuracy.data.fingerprint,
        accuracy.images,
    ):
        return Fraction(100 * (accuracy.correct1 - fp32.correct1), accuracy.images)
    return None


def _tested(found: DifferenceFromFp32) -> str:
    chance = "more than chance" if found.p_value < SIGNIFICANT else "not more than chance"
    return f"{chance}, p = {found.p_value:.2g}"
