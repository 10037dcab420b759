"""The answer: what judged rows say in one line, with what was found and why numbers are missing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vanbench.checkpoints.weights import EMA
from vanbench.progress import counted
from vanbench.report import records
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import (
    CLOSE,
    DEVIATES,
    ERRATUM,
    NOT_MEASURED,
    NOT_REPORTED,
    PARTIAL,
    REPRODUCED,
)
from vanbench.zoo.other_sets import title_of

INCOMPLETE = "INCOMPLETE"
HEADLINES = {DEVIATES: "DEVIATES", REPRODUCED: "REPRODUCED"}

NUMBERS = {
    "params": ("parameters", "M"),
    "flops": ("FLOPs", "G"),
    "top1": ("Top-1", "%"),
    "top5": ("Top-5", "%"),
}
"""What each number of a row is called in a sentence, and its unit."""


@dataclass(frozen=True)
class Tally:
    """How many published numbers there are and how many have each verdict; how many files.

    A claim without a file is not among the files.
    """

    numbers: int
    counts: Mapping[str, int]
    files: int
    verified: int

    def __str__(self) -> str:
        counts = self.counts
        misprints = counts[ERRATUM]
        parts = [
            f"{counts[REPRODUCED]} of {counted(self.numbers, 'published number')} reproduced",
            f"{counts[CLOSE]} close" if counts[CLOSE] else "",
            counted(misprints, "misprint") if misprints else "",
            f"{counts[DEVIATES]} deviate{'s' if counts[DEVIATES] == 1 else ''}",
            f"{counts[PARTIAL]} partial" if counts[PARTIAL] else "",
            f"{counts[NOT_MEASURED]} not measured" if counts[NOT_MEASURED] else "",
        ]
        numbers = ", ".join(filter(None, parts))
        total = counted(self.files, "file")
        files = f"; {self.verified} of {total} verified" if self.files else ""
        return f"{numbers}{files}"


@dataclass(frozen=True)
class Finding:
    """One sentence without a period that is true of these models; ``models`` is never empty."""

    text: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was found, in the order in which a reader needs it.

    ``headline`` is ``DEVIATES`` if any number deviates, else ``REPRODUCED`` if every published
    number was measured and every file verified, else ``INCOMPLETE``. ``discoveries`` are numbers
    that deviate, then misprints, then what is unusual about weights and images. ``reasons`` say
    why numbers and files are missing, each once. ``date`` is that of the latest measurement, as
    YYYY-MM-DD, or None.
    """

    headline: str
    tally: Tally
    discoveries: tuple[Finding, ...]
    reasons: tuple[Finding, ...]
    date: str | None

    @property
    def sentence(self) -> str:
        """The tally in words, without a period."""
        return str(self.tally)


def answer(rows: Sequence[ModelRow]) -> Answer:
    """What the rows say; a row counts with each number that its zoo entry reports."""
    tally = _tally(rows)
    return Answer(
        headline=_headline(tally),
        tally=tally,
        discoveries=_merged([*_deviations(rows), *_misprints(rows), *_remarks(rows)]),
        reasons=_merged([*_file_reasons(rows), *_number_reasons(rows)]),
        date=max(_dates(rows), default=None),
    )


def _tally(rows: Sequence[ModelRow]) -> Tally:
    figures = [figure for row in rows for figure in row.claimed if figure.reported]
    verdicts = (REPRODUCED, CLOSE, ERRATUM, DEVIATES, PARTIAL, NOT_MEASURED, NOT_REPORTED)
    return Tally(
        numbers=len(figures),
        counts={verdict: sum(f.verdict == verdict for f in figures) for verdict in verdicts},
        files=sum(not row.entry.no_file for row in rows),
        verified=sum(row.file_status in records.HAVE_FILE for row in rows),
    )


def _headline(tally: Tally) -> str:
    if tally.counts[DEVIATES]:
        return HEADLINES[DEVIATES]
    missing = tally.counts[NOT_MEASURED] + tally.counts[PARTIAL]
    nothing = not (tally.files or tally.numbers)
    if missing or tally.verified < tally.files or nothing:
        return INCOMPLETE
    return HEADLINES[REPRODUCED]


def named_figures(row: ModelRow) -> dict[str, Figure]:
    """The figures of a row by the keys of ``NUMBERS``."""
    return dict(zip(NUMBERS, row.figures, strict=True))


def judged_figures(row: ModelRow) -> dict[str, Figure]:
    """The figures of a row, and those of the claims about other test sets.

    The key of such a figure has that of the set in it: ``imagenet_a.top1``.
    """
    others = {
        f"{key}.{name}": figure
        for key, one in row.other_sets.items()
        for name, figure in (("top1", one.top1), ("top5", one.top5))
        if figure.reported
    }
    return {**named_figures(row), **others}


def number_name(key: str) -> str:
    """What a number is called in a sentence.

    >>> number_name("top1"), number_name("imagenet_a.top1")
    ('Top-1', 'Top-1 on ImageNet-A')
    """
    other_set, _, number = key.rpartition(".")
    name = NUMBERS[number][0]
    return f"{name} on {title_of(other_set)}" if other_set else name


def difference_in_words(key: str, figure: Figure) -> str:
    """What was reported and what was measured of one number, with its unit."""
    assert figure.reported is not None
    assert figure.measured is not None
    name, unit = number_name(key), NUMBERS[key.rpartition(".")[2]][1]
    measured = f"{float(figure.measured):.{figure.reported.decimals + 1}f}"
    verb = "counted" if key in ("params", "flops") else "measured"
    return f"{name} {figure.reported} {unit}, {verb} {measured} {unit}"


def _deviations(rows: Iterable[ModelRow]) -> Iterator[Finding]:
    for row in rows:
        for key, figure in judged_figures(row).items():
            if figure.verdict == DEVIATES:
                why = f" ({figure.reason})" if figure.reason else ""
                text = f"{row.entry.name} deviates: {difference_in_words(key, figure)}{why}"
                yield Finding(text, (row.entry.name,))


def _misprints(rows: Iterable[ModelRow]) -> Iterator[Finding]:
    for row in rows:
        found = [
            difference_in_words(key, figure)
            for key, figure in judged_figures(row).items()
            if figure.verdict == ERRATUM
        ]
        if found and row.entry.erratum:
            name = row.entry.name
            yield Finding(f"{name} is misprinted: {'; '.join(found)}", (name,))


def _remarks(rows: Iterable[ModelRow]) -> Iterator[Finding]:
    """What a reader has to know of the weights and of the images that were used."""
    for row in rows:
        checkpoint, accuracy, names = row.record.checkpoint, row.record.accuracy, (row.entry.name,)
        for text in (checkpoint and checkpoint.oddities) or ():
            yield Finding(text, names)
        if checkpoint and checkpoint.weights == EMA:
            yield Finding("the averaged (EMA) weights of the file were read", names)
        if accuracy and accuracy.data.unreadable:
            images = counted(len(accuracy.data.unreadable), "unreadable image")
            yield Finding(f"{images} counted as wrong", names)


def _file_reasons(rows: Iterable[ModelRow]) -> Iterator[Finding]:
    for row in rows:
        if row.lacks_file:
            checkpoint = row.record.checkpoint
            cause = checkpoint and (checkpoint.cause or checkpoint.reason)
            text = f"file {row.file_status}" if checkpoint else "file never looked for"
            yield Finding(f"{text}: {cause}" if cause else text, (row.entry.name,))


def _number_reasons(rows: Iterable[ModelRow]) -> Iterator[Finding]:
    for row in rows:
        missing: dict[str, list[str]] = {}
        for key, figure in judged_figures(row).items():
            if figure.reported and figure.verdict in (NOT_MEASURED, PARTIAL):
                label = f"{figure.verdict}: {figure.reason or 'no reason is on record'}"
                missing.setdefault(label, []).append(number_name(key))
        for label, names in missing.items():
            yield Finding(f"{' and '.join(names)} {label}", (row.entry.name,))


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each text once, with all its models in order."""
    models: dict[str, list[str]] = {}
    for finding in findings:
        models.setdefault(finding.text, []).extend(finding.models)
    return tuple(Finding(text, tuple(dict.fromkeys(names))) for text, names in models.items())


def _dates(rows: Iterable[ModelRow]) -> Iterator[str]:
    for row in rows:
        others = (row.record.other_sets or {}).values()
        for section in (row.record.counts, row.record.accuracy, *others):
            if section is not None:
                yield section.date
