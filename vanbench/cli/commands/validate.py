"""``vanbench validate``."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vanbench.cli.options import (
    Settings,
    common_options,
    data_option,
    option,
    precision_option,
    run_options,
    select,
    source_options,
)
from vanbench.errors import VanbenchError

if TYPE_CHECKING:
    from vanbench.evaluation.plan import RunOptions
    from vanbench.evaluation.result import ValidationResult

EXAMPLES = """\b
Examples:
  vanbench validate van_b0 --data /data/imagenet/val
  vanbench validate --all --data /data/imagenet/val --batch-size 128
  vanbench validate --checkpoint my_van.pth --data /data/imagenet/val --limit 1000
"""


@click.command(epilog=EXAMPLES)
@common_options
@click.argument("model", nargs=-1)
@option("--all", "all_", is_flag=True, help="Every model of the zoo.")
@option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of one's own; its architecture is read from its tensors.",
)
@data_option()
@precision_option
@source_options
@run_options
def command(
    settings: Settings,
    model: tuple[str, ...],
    all_: bool,
    checkpoint: Path | None,
    data: Path | None,
    precision: str,
    mirrors: tuple[str, ...],
    offline: bool,
    options: "RunOptions",
) -> None:
    """Measure Top-1 and Top-5 on a validation set.

    Each image is decoded once for all models.
    Preprocessing is the zoo's protocol. Every prediction is kept in RESULTS/predictions.sqlite, so
    that the same command resumes an interrupted run. No record is written; verify does that.
    """
    from vanbench.checkpoints.load import open_checkpoint
    from vanbench.cli.output import print_json
    from vanbench.download.obtain import Sources, obtain_all
    from vanbench.evaluation.plan import Candidate
    from vanbench.evaluation.validate import validate_candidates

    zoo = settings.zoo
    data = data or zoo.data
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    if checkpoint and (model or all_):
        raise click.UsageError("Give models of the zoo or --checkpoint, not both.")
    errors: dict[str, VanbenchError] = {}
    candidates = []
    if checkpoint:
        take = partial(open_checkpoint, checkpoint)
        candidates.append(Candidate(checkpoint.name, zoo.entries[0].protocol, take))
    else:
        where = Sources(settings.cache, mirrors, offline)
        entries = select(zoo, model, all_)
        for outcome in obtain_all(zoo, entries, where, settings.results, settings.progress):
            entry = outcome.entry
            if outcome.error:
                errors[entry.name] = outcome.error
            elif outcome.fetched:
                take = partial(
                    open_checkpoint, outcome.fetched.file, layer_norm_eps=entry.layer_norm_eps
                )
                candidates.append(Candidate(entry.name, entry.protocol, take))
    options = replace(options, precision=precision)
    passes, refused = validate_candidates(candidates, data, options, settings.progress)
    if settings.as_json:
        print_json(
            models=[result.as_json(name) for name, result in passes.items()],
            data=next((result.data_json() for result in passes.values()), None),
        )
    else:
        _print(passes, settings)
    _finish(errors | refused)


def _print(passes: dict[str, "ValidationResult"], settings: Settings) -> None:
    from vanbench.cli.output import print_table

    rows = []
    for name, found in passes.items():
        result = found.as_json(name)
        low, high = result["ci95"]
        rows.append(
            [
                name,
                f"{result['images']:,}",
                f"{result['top1']:.3f}",
                f"{low:.2f} – {high:.2f}",
                f"{result['top5']:.3f}",
                f"{result['correct1']:,}",
                f"{result['correct5']:,}",
            ]
        )
    columns = [
        "model",
        ">images",
        ">Top-1 %",
        ">95 % interval",
        ">Top-5 %",
        ">correct",
        ">in top 5",
    ]
    if rows:
        print_table(columns, rows)
    for found in {id(result): result for result in passes.values()}.values():
        settings.say(found.describe())


def _finish(errors: dict[str, VanbenchError]) -> None:
    """Print each distinct failure once and exit with its code."""
    for message in dict.fromkeys(str(error) for error in errors.values()):
        names = ", ".join(name for name, error in errors.items() if str(error) == message)
        click.echo(f"Error: {names}: {message}", err=True)
    if errors:
        click.get_current_context().exit(max(error.exit_code for error in errors.values()))
