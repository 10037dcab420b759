"""``vanbench download``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options, model_arguments, source_options
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command, size_of
from vanbench.cli.tables import Column
from vanbench.download.outcome_json import OutcomeJson
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.download.obtain import Outcome

EXAMPLES = """\b
Examples:
  vanbench download van_b0
  vanbench download --all --cache /data/checkpoints
"""


class Document(TypedDict):
    """What became of each file that was asked for."""

    models: list[OutcomeJson]
    """The models, in the order in which they were asked for."""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@source_options
def command(
    settings: Settings, entries: tuple[Entry, ...], mirrors: tuple[str, ...], offline: bool
) -> None:
    """Download checkpoint files and check their hashes.

    Prints where each file is.
    A file already in the cache is hashed again, not trusted. A failure does not stop the others.
    A claim without a file has nothing to download, which is no failure.
    """
    from vanbench.download.obtain import Sources, obtain_all

    where = Sources(settings.cache, mirrors, offline)
    outcomes = obtain_all(settings.zoo, entries, where, settings.results, settings.progress)
    if settings.as_json:
        document: Document = {"models": [outcome.as_json() for outcome in outcomes]}
        print_json(**document)
    else:
        _print(outcomes, settings)
    exit_for({o.entry.name: o.failure for o in outcomes if o.failure is not None})


def _print(outcomes: Sequence["Outcome"], settings: Settings) -> None:
    rows = [
        [
            outcome.entry.name,
            outcome.status,
            size_of(outcome.fetched.bytes) if outcome.fetched else "",
            outcome.fetched.path.name if outcome.fetched else outcome.entry.filename,
        ]
        for outcome in outcomes
    ]
    columns: list[str | Column] = ["model", "status", Column("file", fit="middle")]
    if any(outcome.fetched for outcome in outcomes):
        columns.insert(2, Column(">size", drop=1))
    else:
        rows = [[model, status, file] for model, status, _, file in rows]
    print_table(columns, rows)
    echo(f"Folder: {settings.cache}", wrap=False)
    for line in _answer(outcomes):
        echo(line)
    if not any(outcome.failure for outcome in outcomes):
        names = [outcome.entry.name for outcome in outcomes]
        models = ["--all"] if len(names) == len(settings.zoo.entries) else names
        echo(f"Next: {next_command('verify', *models)}", wrap=False)


def _answer(outcomes: Sequence["Outcome"]) -> Iterator[str]:
    """What became of the files, and why claims have none."""
    files = [outcome for outcome in outcomes if not outcome.entry.no_file]
    if files:
        yield _sentence(files)
    for reason, number in Counter(o.entry.no_file for o in outcomes if o.entry.no_file).items():
        yield f"{counted(number, 'model')} without a file: {reason}."


def _sentence(outcomes: Sequence["Outcome"]) -> str:
    """How many files have which status, and how large they are together."""
    statuses = Counter(outcome.status for outcome in outcomes)
    verified = f"{statuses.pop('verified', 0)} of {counted(len(outcomes), 'file')} verified"
    others = [f"{number} {status}" for status, number in statuses.items()]
    total = sum(outcome.fetched.bytes for outcome in outcomes if outcome.fetched)
    size = f"; {size_of(total)} in total" if total else ""
    return f"{', '.join([verified, *others])}{size}."
