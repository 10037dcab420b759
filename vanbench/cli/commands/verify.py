"""``vanbench verify``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vanbench.cli.options import Settings, common, data_option, models, runs, sources
from vanbench.zoo.reader import Entry

if TYPE_CHECKING:
    from vanbench.verification import Verified

EXAMPLES = """\b
Examples:
  vanbench verify van_b0
  vanbench verify --all --data /data/imagenet/val
  vanbench verify --all --zoo demo
  vanbench verify my_van --zoo mine.toml --data /data/imagenet/val --json
"""


@click.command(epilog=EXAMPLES)
@common
@models
@data_option()
@sources
@runs
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    data: Path | None,
    mirrors: tuple[str, ...],
    offline: bool,
    run: dict,
) -> None:
    """Check every claim of the models: file hash, parameters, FLOPs, Top-1 and Top-5.

    What was measured in full is recorded under results/ with its provenance. Without --data (and
    with no set shipped beside the zoo) Top-1 and Top-5 are not measured. With --limit the result
    is partial and nothing is recorded.
    """
    from vanbench.cli.output import print_json
    from vanbench.download.obtain import Sources
    from vanbench.evaluation.validate import Run
    from vanbench.report.rows import as_json
    from vanbench.verification import verify

    verified = verify(
        settings.zoo,
        entries,
        Sources(settings.cache, mirrors, offline),
        settings.results,
        data or settings.zoo.data,
        Run(**run),
        settings.progress,
    )
    if settings.as_json:
        documents = [as_json(row) for row in verified.rows]
        for document in documents:
            path = verified.paths.get(document["name"])
            document["checkpoint"]["path"] = str(path) if path else None
        print_json(
            ok=verified.exit_code == 0,
            models=documents,
            environment=verified.environment,
            data=verified.data,
        )
    else:
        _print(verified, settings)
    click.get_current_context().exit(verified.exit_code)


def _print(verified: "Verified", settings: Settings) -> None:
    from vanbench.cli.output import print_table
    from vanbench.report.tables import LINE_COLUMNS, Footnotes, lines

    notes = Footnotes()
    print_table(LINE_COLUMNS, *[lines(row, notes) for row in verified.rows])
    for number, text in enumerate(notes.texts, 1):
        click.echo(f"[{number}] {text}")
    for row in verified.rows:
        checkpoint = row.record.checkpoint
        if checkpoint and checkpoint.reason:
            settings.detail(f"{row.entry.name}: {checkpoint.reason}")
    for validated in verified.passes:
        settings.say(validated.describe())
    if verified.advice:
        settings.say(verified.advice)
