"""Rows: a model's record, judged against the claims of its zoo entry."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from vanbench.errors import VanbenchError
from vanbench.report import record_files, records
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.coverage import doubts, why_partial
from vanbench.report.records import FP32, Accuracy, Counts, Record
from vanbench.report.verdicts import (
    CLOSE_POINTS,
    DEVIATES,
    NOT_MEASURED,
    NOT_REPORTED,
    PARTIAL,
    judge,
    worst,
)
from vanbench.zoo.combined import home
from vanbench.zoo.entries import AccuracyClaims, Claims, Entry, Zoo
from vanbench.zoo.other_sets import OTHER_SETS, REAL, title_of
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
class OverSet:
    """Top-1 and Top-5 over one test set; ``accuracy`` None where they were not measured."""

    accuracy: Accuracy | None
    top1: Figure
    top5: Figure


NOTHING = Figure(None, None, NOT_REPORTED)


@dataclass(frozen=True)
class ModelRow:
    """One model: its entry in the zoo, its record, and a verdict for each number.

    ``other_sets`` has the accuracies over other test sets that were claimed or measured, by key.
    """

    entry: Entry
    record: Record
    params: Figure
    flops: Figure
    top1: Figure
    top5: Figure
    other_sets: Mapping[str, OverSet] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (self.params, self.flops, self.top1, self.top5)

    @property
    def claimed(self) -> tuple[Figure, ...]:
        """The figures, and those over other test sets for which a number was published."""
        others = (figure for one in self.other_sets.values() for figure in (one.top1, one.top5))
        return (*self.figures, *(figure for figure in others if figure.reported))

    def over(self, key: str | None) -> OverSet:
        """Top-1 and Top-5 over another test set, or over the model's own for None."""
        if key is None:
            return OverSet(self.record.accuracy, self.top1, self.top5)
        return self.other_sets.get(key, OverSet(None, NOTHING, NOTHING))

    @property
    def verdict(self) -> str:
        """The worst verdict of its numbers; at best ``not measured`` if its file is missing."""
        verdicts = [figure.verdict for figure in self.claimed]
        if self.lacks_file:
            verdicts.append(NOT_MEASURED)
        return worst(verdicts)

    @property
    def file_status(self) -> str:
        """The checkpoint's status, or ``not measured``, or ``no file`` if the claim has none."""
        if self.record.checkpoint:
            return self.record.checkpoint.status
        return records.NO_FILE if self.entry.no_file else NOT_MEASURED

    @property
    def lacks_file(self) -> bool:
        """Whether the claim is about a file, and there is no sound one."""
        return self.file_status not in (*records.HAVE_FILE, records.NO_FILE)

    @property
    def is_partial(self) -> bool:
        """Whether an accuracy is over other images than the claim is about.

        ReaL only counts the same predictions by other labels: a part of these is no reason against
        the others.
        """
        others = {k: a for k, a in (self.record.other_sets or {}).items() if k != REAL}
        accuracies = (*self.record.accuracies.values(), *others.values())
        return any(why_partial(self.entry, accuracy) for accuracy in accuracies)

    @property
    def whole_record(self) -> Record:
        """The record without accuracies over a part of another test set."""
        sets = _whole(self.entry, self.record.other_sets or {})
        return replace(self.record, other_sets=sets or None)

    def lacks_accuracy(self, precision: str = FP32, *, part_asked: bool = False) -> bool:
        """Whether an accuracy is reported and could be measured, and was not in that precision.

        A partial one is not what was asked for, unless ``part_asked``. One over another test set
        is, where only that was given. Without a published file none can be measured.
        """
        if self.entry.no_file or not (self.top1.reported or self.top5.reported):
            return False
        accuracy = self.record.accuracies.get(precision)
        if accuracy is None and precision == FP32:
            accuracy = next(iter((self.record.other_sets or {}).values()), None)
        return accuracy is None or bool(not part_asked and why_partial(self.entry, accuracy))

    def exit_code(
        self, accuracy_asked: bool, *, part_asked: bool = False, precision: str = FP32
    ) -> int:
        """What this row means for a command that asked for the file, the counts, perhaps accuracy.

        1 something deviates, 3 something asked for could not be measured, else 0. The accuracy
        that was asked for is in that precision; one in another than fp32 has no verdict.
        """
        if any(figure.verdict == DEVIATES for figure in self.claimed):
            return 1
        missing = any(f.verdict == NOT_MEASURED for f in (self.params, self.flops))
        if accuracy_asked:
            missing |= self.lacks_accuracy(precision, part_asked=part_asked)
        if missing or self.lacks_file:
            return VanbenchError.exit_code
        return 0


def make_row(
    entry: Entry,
    record: Record,
    *,
    reason: str = "",
    own_reason: str = "",
    why_no_counts: str = "not counted yet",
) -> ModelRow:
    """Judge a record against the claims of its entry.

    ``reason`` is why there is no accuracy at all, ``own_reason`` why there is none over the model's
    own data set.
    """
    params, flops = _judge_counts(entry, record.counts, why_no_counts)
    claims, corrected = entry.claims, _corrected(entry)
    why = own_reason or reason or _why_no_accuracy(entry, record)
    own = _judge_accuracy(entry, claims, corrected, record.accuracy, why)
    measured = record.other_sets or {}
    others = {
        key: _judge_accuracy(
            entry,
            claims.other_sets.get(key, AccuracyClaims()),
            corrected.other_sets.get(key, AccuracyClaims()),
            measured.get(key),
            reason or f"no images of {title_of(key)} were given",
        )
        for key in OTHER_SETS
        if key in claims.other_sets or key in measured
    }
    return ModelRow(entry, record, params, flops, own.top1, own.top5, others)


def unjudged_row(entry: Entry, record: Record, reason: str) -> ModelRow:
    """A row in which no number counts as measured, and ``reason`` says why."""
    claims = entry.claims

    def figure(reported: Reported | None) -> Figure:
        return Figure(None, reported, judge(None, reported), reason if reported else None)

    others = {
        key: OverSet(None, figure(one.top1), figure(one.top5))
        for key, one in claims.other_sets.items()
    }
    return ModelRow(
        entry,
        record,
        params=figure(claims.params_m),
        flops=figure(claims.flops_g),
        top1=figure(claims.top1),
        top5=figure(claims.top5),
        other_sets=others,
    )


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
        sets = _whole(entry, record.other_sets or {})
        record = replace(record, other_precisions=others or None, other_sets=sets or None)
        rows.append(make_row(entry, record, own_reason=reason))
    return rows


def _whole(entry: Entry, accuracies: Mapping[str, Accuracy]) -> dict[str, Accuracy]:
    """Those over the images that the claim is about."""
    return {name: a for name, a in accuracies.items() if not why_partial(entry, a)}


def _on_record(zoo: Zoo, entry: Entry, results: Path) -> Record:
    return (
        record_files.read(results, zoo.name, entry)
        or record_files.read_failed(results, zoo.name, entry)
        or Record(*home(zoo.name, entry.name))
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

    params = params_as(entry.counting, counts) if counts else None
    flops = flops_as(entry.counting, counts) if counts else None
    return (
        figure(params, 10**6, claims.params_m, corrected.params_m),
        figure(flops, 10**9, claims.flops_g, corrected.flops_g),
    )


def _judge_accuracy(
    entry: Entry,
    claims: Claims | AccuracyClaims,
    corrected: Claims | AccuracyClaims,
    accuracy: Accuracy | None,
    reason: str,
) -> OverSet:
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
    return OverSet(
        accuracy,
        figure(correct1, claims.top1, corrected.top1),
        figure(correct5, claims.top5, corrected.top5),
    )


def not_judged(precisions: str) -> str:
    """Why an accuracy in another precision than fp32 has no verdict."""
    return f"computed in {precisions}, and only {FP32} counts as reproduction"


def _why_no_accuracy(entry: Entry, record: Record) -> str:
    checkpoint = record.checkpoint
    if entry.no_file:
        return entry.no_file
    if record.other_precisions:
        return not_judged(" and ".join(record.other_precisions))
    if record.other_sets:
        found = " and ".join(map(title_of, record.other_sets))
        return f"only images of {found} were given"
    if checkpoint is None:
        return "never run"
    if checkpoint.status not in records.HAVE_FILE:
        return f"checkpoint {checkpoint.status}"
    return "no validation set was given"
