"""``vanbench verify``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vanbench.cli.failures import print_failures
from vanbench.cli.options import (
    Settings,
    common_options,
    data_option,
    model_arguments,
    run_options,
    source_options,
)
from vanbench.cli.output import echo, print_json, print_table
from vanbench.errors import CheckpointError, FetchError
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.evaluation.plan import RunOptions
    from vanbench.verification import Verified

EXAMPLES = """\b
Examples:
  vanbench verify van_b0
  vanbench verify --all --data /data/imagenet/val
  vanbench verify --all --zoo demo
  vanbench verify my_van --zoo mine.toml --data /data/imagenet/val --json
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@data_option()
@source_options
@run_options
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    data: Path | None,
    mirrors: tuple[str, ...],
    offline: bool,
    options: "RunOptions",
) -> None:
    """Check every published number of the models.

    These are the file hash, parameters, FLOPs, Top-1 and Top-5.
    What was measured in full is recorded under results/ with its provenance. Without --data (and
    with no set shipped beside the zoo) Top-1 and Top-5 are not measured. With --limit the result
    is partial and nothing is recorded.
    """
    from vanbench.download.obtain import Sources
    from vanbench.report.rows import as_json
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
    if settings.as_json:
        print_json(
            ok=verified.exit_code == 0,
            models=[as_json(row, verified.paths.get(row.entry.name)) for row in verified.rows],
            environment=to_json(verified.environment),
            data=next((result.data_json() for result in verified.passes), None),
        )
    else:
        _print(verified, settings)
    _print_unexpected(verified)
    click.get_current_context().exit(verified.exit_code)


def _print(verified: "Verified", settings: Settings) -> None:
    from vanbench.report.tables import LINE_COLUMNS, Footnotes, lines

    notes = Footnotes()
    print_table(LINE_COLUMNS, *[lines(row, notes) for row in verified.rows])
    for number, text in enumerate(notes.texts, 1):
        echo(f"[{number}] {text}")
    for row in verified.rows:
        checkpoint = row.record.checkpoint
        if checkpoint and checkpoint.reason:
            settings.detail(f"{row.entry.name}: {checkpoint.reason}")
    for result in verified.passes:
        settings.say(result.describe(), multiline=True)
    for line in _advice(verified):
        settings.say(line)


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
