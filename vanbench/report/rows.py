"""Rows: a model's record, judged against the claims of its zoo entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vanbench.errors import VanbenchError
from vanbench.report import record_files, records
from vanbench.report.coverage import doubts, why_partial
from vanbench.report.records import FP32, Accuracy, Counts, Record
from vanbench.report.verdicts import CLOSE_POINTS, DEVIATES, NOT_MEASURED, PARTIAL, judge, worst
from vanbench.zoo.entries import Claims, Entry, Zoo
from vanbench.zoo.reported import Reported


@dataclass(frozen=True)
class Figure:
    """One number of one model, in the unit of its report (M, G or percent).

    ``reason`` says why it was not measured or is partial, or what about the data may explain that
    it deviates.
    """

    measured: Fraction | None
    reported: Reported | None
    verdict: str
    reason: str | None = None

    @property
    def delta(self) -> Fraction | None:
        """Measured minus reported, or None where either is missing."""
        if self.measured is None or self.reported is None:
            return None
        return self.measured - self.reported.value


@dataclass(frozen=True)
class ModelRow:
    """One model: its entry in the zoo, its record, and a verdict for each number."""

    entry: Entry
    record: Record
    params: Figure
    flops: Figure
    top1: Figure
    top5: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (self.params, self.flops, self.top1, self.top5)

    @property
    def verdict(self) -> str:
        """The worst verdict of its numbers; at best ``not measured`` without its file."""
        verdicts = [figure.verdict for figure in self.figures]
        if self.file_status not in records.HAVE_FILE:
            verdicts.append(NOT_MEASURED)
        return worst(verdicts)

    @property
    def file_status(self) -> str:
        """The checkpoint's status, or ``not measured``."""
        return self.record.checkpoint.status if self.record.checkpoint else NOT_MEASURED

    @property
    def is_partial(self) -> bool:
        """Whether an accuracy is over other images than the claim is about."""
        return any(why_partial(self.entry, a) for a in self.record.accuracies.values())

    def lacks_accuracy(self, precision: str = FP32, *, part_asked: bool = False) -> bool:
        """Whether an accuracy is reported, and none was measured in that precision.

        A partial one is not what was asked for, unless ``part_asked``.
        """
        if not (self.top1.reported or self.top5.reported):
            return False
        accuracy = self.record.accuracies.get(precision)
        return accuracy is None or bool(not part_asked and why_partial(self.entry, accuracy))

    def exit_code(
        self, accuracy_asked: bool, *, part_asked: bool = False, precision: str = FP32
    ) -> int:
        """What this row means for a command that asked for the file, the counts, perhaps accuracy.

        1 something deviates, 3 something asked for could not be measured, else 0. The accuracy
        that was asked for is in that precision; one in another than fp32 has no verdict.
        """
        if any(figure.verdict == DEVIATES for figure in self.figures):
            return 1
        missing = any(f.verdict == NOT_MEASURED for f in (self.params, self.flops))
        if accuracy_asked:
            missing |= self.lacks_accuracy(precision, part_asked=part_asked)
        if missing or self.file_status not in records.HAVE_FILE:
            return VanbenchError.exit_code
        return 0


def make_row(
    entry: Entry, record: Record, *, reason: str = "", why_no_counts: str = "not counted yet"
) -> ModelRow:
    """Judge a record against the claims of its entry; ``reason`` is why there is no accuracy."""
    params, flops = _judge_counts(entry, record.counts, why_no_counts)
    top1, top5 = _judge_accuracy(entry, record.accuracy, reason or _why_no_accuracy(record))
    return ModelRow(entry, record, params, flops, top1, top5)


def unjudged_row(entry: Entry, record: Record, reason: str) -> ModelRow:
    """A row in which no number counts as measured, and ``reason`` says why."""
    claims = entry.claims
    params, flops, top1, top5 = (
        Figure(None, reported, judge(None, reported), reason if reported else None)
        for reported in (claims.params_m, claims.flops_g, claims.top1, claims.top5)
    )
    return ModelRow(entry, record, params, flops, top1, top5)


def rows_on_record(zoo: Zoo, results: Path) -> list[ModelRow]:
    """A row for every model of the zoo, from its latest full record, else its failed attempt.

    A recorded accuracy that is not over the images of the claim does not count as measured.
    """
    rows = []
    for entry in zoo.entries:
        record, reason = _on_record(zoo, entry, results), ""
        if record.accuracy and (why := why_partial(entry, record.accuracy)):
            record, reason = replace(record, accuracy=None), f"on record only {why}"
        others = _whole(entry, record.other_precisions or {})
        record = replace(record, other_precisions=others or None)
        rows.append(make_row(entry, record, reason=reason))
    return rows


def _whole(entry: Entry, accuracies: Mapping[str, Accuracy]) -> dict[str, Accuracy]:
    """Those over the images that the claim is about."""
    return {name: a for name, a in accuracies.items() if not why_partial(entry, a)}


def _on_record(zoo: Zoo, entry: Entry, results: Path) -> Record:
    return (
        record_files.read(results, zoo.name, entry)
        or record_files.read_failed(results, zoo.name, entry)
        or Record(zoo.name, entry.name)
    )


def _corrected(entry: Entry) -> Claims:
    return entry.erratum.corrected if entry.erratum else Claims()


def _judge_counts(entry: Entry, counts: Counts | None, why: str) -> tuple[Figure, Figure]:
    claims, corrected = entry.claims, _corrected(entry)

    def figure(
        count: int | None, unit: int, reported: Reported | None, right: Reported | None
    ) -> Figure:
        measured = None if count is None else Fraction(count, unit)
        reason = why if count is None else None
        return Figure(measured, reported, judge(measured, reported, corrected=right), reason)

    params = counts.params if counts else None
    flops = counts.flops[entry.counting.convention] if counts else None
    return (
        figure(params, 10**6, claims.params_m, corrected.params_m),
        figure(flops, 10**9, claims.flops_g, corrected.flops_g),
    )


def _judge_accuracy(entry: Entry, accuracy: Accuracy | None, reason: str) -> tuple[Figure, Figure]:
    claims, corrected = entry.claims, _corrected(entry)
    partial = why_partial(entry, accuracy) if accuracy else None
    reasons = {
        NOT_MEASURED: reason,
        PARTIAL: partial,
        DEVIATES: doubts(accuracy) if accuracy else None,
    }

    def figure(correct: int | None, reported: Reported | None, right: Reported | None) -> Figure:
        measured = None
        if accuracy is not None and correct is not None:
            measured = Fraction(100 * correct, accuracy.images)
        verdict = judge(
            measured, reported, corrected=right, tolerance=CLOSE_POINTS, partial=partial is not None
        )
        return Figure(measured, reported, verdict, reasons.get(verdict))

    correct1 = accuracy.correct1 if accuracy else None
    correct5 = accuracy.correct5 if accuracy else None
    return (
        figure(correct1, claims.top1, corrected.top1),
        figure(correct5, claims.top5, corrected.top5),
    )


def _why_no_accuracy(record: Record) -> str:
    checkpoint = record.checkpoint
    if record.other_precisions:
        found = " and ".join(record.other_precisions)
        return f"computed in {found}, and only {FP32} counts as reproduction"
    if checkpoint is None:
        return "never run"
    if checkpoint.status not in records.HAVE_FILE:
        return f"checkpoint {checkpoint.status}"
    return "no validation set was given"
