"""``vanbench audit``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.core import ParameterSource
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options, data_option, option, source_options
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, data_given, next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.errors import VanbenchError
from vanbench.evidence.audit import (
    CONTRADICTED,
    FOLLOWS,
    NO_EVIDENCE,
    AuditedAccuracy,
    AuditedRecord,
    Sample,
    audit,
)
from vanbench.evidence.audit_json import AuditedRecordJson, record_json
from vanbench.evidence.files import unused
from vanbench.report import record_files
from vanbench.report.rows import Figure
from vanbench.report.verdicts import SYMBOLS
from vanbench.zoo.entries import Zoo


class Document(TypedDict):
    """Whether the accuracies on record follow from their evidence."""

    ok: bool
    """Whether every accuracy was checked, and nothing is wrong."""
    records: list[AuditedRecordJson]
    """The records, in the order of their files."""
    unused: list[str]
    """Files of evidence that no record names; empty unless all records were audited."""


EXAMPLES = """\b
Examples:
  vanbench audit
  vanbench audit results/demo/van_nano.digits.json
  vanbench audit --zoo demo --sample 20

\b
Exit codes:
  0  every accuracy follows from its evidence
  1  something does not follow, is damaged, or missing
  3  something could not be checked
"""


@click.command(epilog=EXAMPLES)
@click.argument("record", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common_options
@data_option()
@option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also predict N random images of --data again, with each model.",
)
@source_options
def command(
    settings: Settings,
    record: tuple[Path, ...],
    data: Path | None,
    sample: int | None,
    mirrors: tuple[str, ...],
    offline: bool,
) -> None:
    """Check recorded accuracies against their evidence.

    With each accuracy, verify keeps the five first choices for each image (docs/evidence.md).
    From these, counts and verdicts are computed again, and every hash is checked. Neither images
    nor models are needed for this.

    RECORD is a file RESULTS/ZOO/MODEL.json. Without one, all records under results/ are checked;
    with --zoo, those of that zoo. With --sample, the models also predict random images again;
    without --data these are of the set that is shipped beside the zoo.
    """
    zoos = _zoos(settings)
    everything = not record and _is_default_zoo()
    found = list(_audit_all(settings, record or _files(settings), zoos))
    if sample:
        found = [_with_sample(settings, one, zoos, data, sample, mirrors, offline) for one in found]
    known = [one.record for one in found if one.record]
    left = unused(settings.results, known) if everything else []
    if settings.as_json:
        document: Document = {
            "ok": not any(map(_code, found)) and not _errors(found),
            "records": [record_json(one) for one in found],
            "unused": left,
        }
        print_json(**document)
    else:
        _print(found, left, zoos)
    exit_for(_errors(found), *map(_code, found))


def _zoos(settings: Settings) -> list[Zoo]:
    """The zoo that was asked for, if one was, then every shipped one."""
    from vanbench.zoo.reader import load_zoo, shipped_zoos

    asked = [] if _is_default_zoo() else [settings.zoo]
    return [*asked, *(load_zoo(name) for name in shipped_zoos())]


def _is_default_zoo() -> bool:
    source = click.get_current_context().get_parameter_source("zoo")
    return source is ParameterSource.DEFAULT


def _files(settings: Settings) -> list[Path]:
    """All record files, or those of the zoo that was asked for."""
    found = record_files.all_files(settings.results)
    if _is_default_zoo():
        return found
    name = settings.zoo.name
    return [p for p in found if p.relative_to(settings.results).parts[0] == name]


def _audit_all(
    settings: Settings, paths: Sequence[Path], zoos: Sequence[Zoo]
) -> Iterator[AuditedRecord]:
    with settings.progress("auditing", "records") as update:
        for number, path in enumerate(paths):
            update(number, len(paths), path.stem)
            yield audit(path, zoos)


def _with_sample(
    settings: Settings,
    audited: AuditedRecord,
    zoos: Sequence[Zoo],
    data: Path | None,
    sample: int,
    mirrors: tuple[str, ...],
    offline: bool,
) -> AuditedRecord:
    """The record after some images were predicted again; nothing is done without an accuracy."""
    if not audited.accuracies:
        return audited
    data = data or next((zoo.data for zoo in zoos if zoo.name == audited.zoo), None)
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    from vanbench.download.obtain import Sources
    from vanbench.spot_check import spot_check

    sources = Sources(settings.cache, mirrors, offline)
    return spot_check(audited, data, sample, sources, settings.progress)


def _errors(found: Sequence[AuditedRecord]) -> dict[str, VanbenchError]:
    """Why no image could be predicted again, by model and precision."""
    return {
        f"{one.name} in {accuracy.precision}": accuracy.error
        for one in found
        for accuracy in one.accuracies
        if accuracy.error
    }


def _code(audited: AuditedRecord) -> int:
    if audited.findings:
        return 1
    return 3 if any(one.status == NO_EVIDENCE for one in audited.accuracies) else 0


COLUMNS = (
    Column("model", fit=MIDDLE),
    Column("zoo", drop=2),
    Column("precision", drop=1),
    ">images",
    "counted Top-1 %",
    Column("counted Top-5 %", drop=3),
    "evidence",
)
MARKS = {FOLLOWS: "✓", NO_EVIDENCE: "○", CONTRADICTED: "✗"}


def _print(found: Sequence[AuditedRecord], left: Sequence[str], zoos: Sequence[Zoo]) -> None:
    """The accuracies that follow, all that is wrong, and the answer."""
    rows = [_row(one, accuracy) for one in found for accuracy in one.accuracies]
    if rows:
        print_table(COLUMNS, rows)
    for one in found:
        for finding in one.findings:
            echo(f"✗ {one.path}: {finding}.")
    for one in found:
        for accuracy in one.accuracies:
            if accuracy.sample:
                echo(f"{one.name} in {accuracy.precision}: {_sampled(accuracy.sample)}.")
    for file in left:
        echo(f"No record names {file}: it can be deleted.")
    echo(f"{_answer(found)}.")
    if any(not one.accuracy.evidence for record in found for one in record.accuracies):
        echo(
            "Where there is no evidence, run vanbench verify again: it keeps it, and computes only "
            "what is not stored."
        )
    if found:
        echo(f"Next: {_next(found, zoos)}", wrap=False)


def _next(found: Sequence[AuditedRecord], zoos: Sequence[Zoo]) -> str:
    """The command to type now: for the first record that does not pass, its model is verified."""
    wrong = next((one for one in found if _code(one)), None)
    if wrong is None:
        return next_command("table")
    shipped = any(zoo.data for zoo in zoos if zoo.name == wrong.zoo)
    data = data_given() or ([] if shipped else ["--data", "PATH"])
    zoo = ["--zoo", wrong.zoo] if _is_default_zoo() else []
    return next_command("verify", wrong.name, *data, *zoo)


def _row(audited: AuditedRecord, one: AuditedAccuracy) -> list[str]:
    figures = ["–", "–"]
    if tally := one.tally:
        judged = (one.row.top1, one.row.top5) if one.row else (None, None)
        figures = [_figure(*pair) for pair in zip((tally.top1, tally.top5), judged, strict=True)]
    images = f"{one.tally.images:,}" if one.tally else "–"
    status = f"{MARKS[one.status]} {one.status}"
    return [audited.name, audited.zoo, one.precision, images, *figures, status]


def _figure(percent: float, judged: Figure | None) -> str:
    symbol = SYMBOLS[judged.verdict] if judged else ""
    return f"{symbol} {percent:.3f}".lstrip()


def _sampled(sample: Sample) -> str:
    ties = f", {counted(sample.ties, 'tie')}" if sample.ties else ""
    images = counted(sample.images, "random image")
    others = sample.images - sample.same - sample.ties
    again = f"{images} predicted again on {sample.device}"
    return f"{again}: {sample.same:,} as recorded{ties}, {others:,} not"


def _answer(found: Sequence[AuditedRecord]) -> str:
    """What was audited, and what came of it, as a sentence without a period."""
    statuses = [accuracy.status for one in found for accuracy in one.accuracies]
    if not found:
        return "No record was found"
    follow, total = statuses.count(FOLLOWS), len(statuses)
    noun = "accuracy follows from its" if total == 1 else "accuracies follow from their"
    answer = f"{follow:,} of {total:,} {noun} evidence" if total else "No accuracy is on record"
    unusable = sum(1 for one in found if one.problem)
    empty = sum(1 for one in found if one.record and not one.accuracies)
    others = (
        (statuses.count(NO_EVIDENCE), "older than evidence"),
        (empty, f"record{'' if empty == 1 else 's'} without an accuracy"),
    )
    more = "".join(f"; {number:,} {text}" for number, text in others if number)
    first = f"{counted(unusable, 'record')} cannot be used; " if unusable else ""
    return f"{first}{answer}{more}"
