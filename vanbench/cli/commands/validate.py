"""``vanbench validate``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.model_names import select
from vanbench.cli.options import (
    Settings,
    common_options,
    data_option,
    model_argument,
    option,
    precision_option,
    run_options,
    source_options,
)
from vanbench.cli.output import print_json, print_table
from vanbench.cli.tables import MIDDLE, Column
from vanbench.evaluation.result_json import UsedData, ValidatedModel

if TYPE_CHECKING:
    from vanbench.evaluation.plan import RunOptions


class Document(TypedDict):
    """What was measured of each model that was asked for."""

    models: list[ValidatedModel]
    """The models, in the order in which they were asked for."""
    data: UsedData | None
    """The data set as it was used; null if no model could be run."""


EXAMPLES = """\b
Examples:
  vanbench validate van_b0 --data /data/imagenet/val
  vanbench validate --all --data /data/imagenet/val --batch-size 128
  vanbench validate --checkpoint my_van.pth --data /data/imagenet/val --limit 1000
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_argument(nargs=-1)
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
    from vanbench.download.obtain import Sources
    from vanbench.evaluation.models import validate_entries, validate_file

    data = data or settings.zoo.data
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    if checkpoint and (model or all_):
        raise click.UsageError("Give models of the zoo or --checkpoint, not both.")
    options = replace(options, precision=precision)
    if checkpoint:
        protocol = settings.zoo.entries[0].protocol
        validated = validate_file(checkpoint, protocol, data, options, settings.progress)
    else:
        entries = select(settings.zoo, model, all_)
        sources = Sources(settings.cache, mirrors, offline)
        validated = validate_entries(
            settings.zoo, entries, sources, settings.results, data, options, settings.progress
        )
    if settings.as_json:
        document: Document = {"models": validated.models_json(), "data": validated.data_json()}
        print_json(**document)
    else:
        _print(validated.models_json())
        for result in validated.distinct_passes:
            settings.say(result.describe(), multiline=True)
    exit_for(validated.errors)


COLUMNS: list[str | Column] = [
    Column("model", fit=MIDDLE),
    ">images",
    ">Top-1 %",
    ">95 % interval",
    ">Top-5 %",
    Column(">correct", drop=1),
    Column(">in top 5", drop=2),
]


def _print(documents: list[ValidatedModel]) -> None:
    """A row for each model; one that failed has its status in place of the figures."""
    print_table(COLUMNS, [_row(document) for document in documents])


def _row(model: Mapping[str, Any]) -> list[str]:
    if model["images"] is None:
        return [model["name"], "", model["status"], "", "", "", ""]
    low, high = model["ci95"]
    return [
        model["name"],
        f"{model['images']:,}",
        f"{model['top1']:.3f}",
        f"{low:.2f} – {high:.2f}",
        f"{model['top5']:.3f}",
        f"{model['correct1']:,}",
        f"{model['correct5']:,}",
    ]
