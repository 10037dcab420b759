"""``vanbench verify``."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import print_failures
from vanbench.cli.options import (
    Settings,
    arithmetic_options,
    common_options,
    data_option,
    model_arguments,
    option,
    run_options,
    source_options,
)
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import data_given, next_command
from vanbench.cli.tables import MIDDLE, WORDS, Column
from vanbench.environment import Environment
from vanbench.errors import CheckpointError, FetchError
from vanbench.evaluation.result_json import UsedData
from vanbench.report.records import FP32, HAVE_FILE, Accuracy
from vanbench.report.row_json import RowJson, as_json
from vanbench.report.verdicts import DEVIATES
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.evaluation.plan import RunOptions
    from vanbench.report.rows import ModelRow
    from vanbench.verification import Verified


class Document(TypedDict):
    """What was found of each model that was asked for."""

    ok: bool
    """Whether everything asked for was measured and nothing deviates."""
    models: list[RowJson]
    """The models, in the order in which they were asked for."""
    environment: Environment
    """What it was measured on."""
    data: UsedData | None
    """The data set as it was used; null if no model was run over images."""


EXAMPLES = """\b
Examples:
  vanbench verify van_b0
  vanbench verify --all --data /data/imagenet/val
  torchrun --nproc-per-node 4 -m vanbench verify --all
  vanbench verify --all --zoo demo
  vanbench verify my_van --zoo mine.toml --data /data/imagenet/val --json
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@data_option()
@source_options
@run_options
@arithmetic_options
@option("--details", is_flag=True, help="Print every number with its difference and verdict.")
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    data: Path | None,
    mirrors: tuple[str, ...],
    offline: bool,
    options: "RunOptions",
    details: bool,
) -> None:
    """Check every published number of the models.

    These are the file hash, parameters, FLOPs, Top-1 and Top-5.
    What was measured in full is recorded under results/ with its provenance. Without --data (and
    with no set shipped beside the zoo) Top-1 and Top-5 are not measured. With --limit the result
    is partial and nothing is recorded. A claim without a file is counted; that its accuracy is not
    measured is no failure. In another --precision than fp32 the accuracies are recorded beside
    those in fp32, and compared with them, but not judged. The last lines say what was found and
    what to do next; --details has every number with its difference.
    """
    from vanbench.download.obtain import Sources
    from vanbench.typed_json import to_json
    from vanbench.verification import verify

    verified = verify(
        settings.zoo,
        entries,
        Sources(settings.cache, mirrors, offline),
        settings.results,
        data or settings.zoo.data,
        options,
        settings.progress,
    )
    if not options.team.here.is_first:
        return
    if settings.as_json:
        document: Document = {
            "ok": verified.exit_code == 0,
            "models": [
                as_json(
                    row, verified.paths.get(row.entry.name), verified.failures.get(row.entry.name)
                )
                for row in verified.rows
            ],
            "environment": to_json(verified.environment),
            "data": next((result.data_json() for result in verified.passes), None),
        }
        print_json(**document)
    else:
        if details:
            _print_details(verified, settings)
        next_line = _next(verified, settings, data or settings.zoo.data, options)
        _print(verified, settings, next_line)
    _print_unexpected(verified)
    click.get_current_context().exit(verified.exit_code)


COLUMNS = (
    Column("model", fit=MIDDLE),
    Column("file", drop=1),
    "params M",
    "FLOPs G",
    "Top-1 %",
    Column("Top-5 %", drop=2),
)


def _print(verified: "Verified", settings: Settings, next_line: str) -> None:
    """The table, the answer, what explains it, and what to do next."""
    from vanbench.report.answer import answer
    from vanbench.report.other_precisions import other_accuracies
    from vanbench.report.other_sets import other_set_accuracies
    from vanbench.report.tables import compact_cell, in_words

    found = answer(verified.rows)
    rows = [[row.entry.name, _file(row), *map(compact_cell, row.figures)] for row in verified.rows]
    print_table(COLUMNS, rows)
    for result in verified.passes:
        settings.say(result.describe(), multiline=True)
    echo(f"{found.headline}: {found.sentence}.")
    for finding in (*found.discoveries, *found.reasons):
        echo(f"  {in_words(finding)}")
    for other in (other for row in verified.rows for other in other_accuracies(row)):
        echo(f"  {other}.")
    for over in (over for row in verified.rows for over in other_set_accuracies(row)):
        echo(f"  {over}.")
    for line in _advice(verified):
        settings.say(line)
    echo(f"Next: {next_line}", wrap=False)


def _file(row: "ModelRow") -> str:
    """The file's status; the digits of its hash where it was there."""
    checkpoint = row.record.checkpoint
    if row.file_status == "verified" and checkpoint and checkpoint.sha256:
        return f"✓ {checkpoint.sha256[:8]}"
    bad = row.file_status in ("mismatch", "unreadable")
    return row.file_status if row.entry.no_file else f"{'✗' if bad else '○'} {row.file_status}"


def _next(
    verified: "Verified", settings: Settings, data: Path | None, options: "RunOptions"
) -> str:
    """The command to type now; ``data`` is the validation set that was used.

    A set of which no part was left out, and which still did not give every accuracy, is inspected.
    Without an accuracy in fp32, one in another precision is compared with nothing.
    """
    rows = verified.rows
    names = ["--all"] if len(rows) == len(settings.zoo.entries) else [r.entry.name for r in rows]
    wrong = [r for r in rows if DEVIATES in (r.top1.verdict, r.top5.verdict)]
    source = data_given() if data else ["--data", "PATH"]
    again = source if options.precision == FP32 else [*source, "--precision", options.precision]
    if wrong:
        return next_command("diagnose", wrong[0].entry.name, *source)
    if any(row.file_status in ("unreachable", "missing") for row in rows):
        given = again if data else again[len(source) :]
        return next_command("verify", *names, *given, "--mirror", "URL|FOLDER")
    lacking = [row for row in rows if row.lacks_accuracy(options.precision)]
    if data and options.limit is None and any(row.file_status in HAVE_FILE for row in lacking):
        return next_command("data", str(data))
    if lacking:
        return next_command("verify", *names, *again)
    if any(a.differs_from_fp32 is None for r in rows for a in _others(r)):
        return next_command("verify", *names, *source)
    return next_command("claims" if settings.zoo.parts else "table")


def _others(row: "ModelRow") -> Iterable[Accuracy]:
    return (row.record.other_precisions or {}).values()


def _print_details(verified: "Verified", settings: Settings) -> None:
    """Each model's verdict, then its numbers, with the notes that their verdicts need."""
    from vanbench.report.tables import LINE_COLUMNS, Footnotes, lines

    notes = Footnotes()
    first, reported, measured, difference, last = LINE_COLUMNS
    columns = (
        Column(first, fit=MIDDLE),
        reported,
        measured,
        Column(difference, drop=1),
        Column(last, fit=WORDS),
    )
    groups = [lines(row, notes) for row in verified.rows]
    print_table(columns, *groups)
    for number, text in enumerate(notes.texts, 1):
        echo(f"[{number}] {text}")
    for row in verified.rows:
        checkpoint = row.record.checkpoint
        if checkpoint and checkpoint.reason:
            settings.detail(f"{row.entry.name}: {checkpoint.reason}")
    echo()


def _print_unexpected(verified: "Verified") -> None:
    """Bugs, and records that could not be written: what no number's reason tells in full."""
    told = (FetchError, CheckpointError)
    print_failures({n: e for n, e in verified.failures.items() if not isinstance(e, told)})


def _advice(verified: "Verified") -> list[str]:
    """What to do about the failures, each once; with the models where it is not about all."""
    names: dict[str, list[str]] = {}
    for name, error in verified.failures.items():
        if not isinstance(error, FetchError | CheckpointError):
            continue  # printed in full
        names.setdefault(error.remedy, []).append(name)
    if len(names) == 1:
        return [remedy for remedy in names if remedy]
    return [f"{', '.join(models)}: {remedy}" for remedy, models in names.items() if remedy]
