"""``vanbench validate``."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vanbench.cli.failures import exit_for
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
from vanbench.cli.output import print_json, print_table
from vanbench.errors import VanbenchError

if TYPE_CHECKING:
    from vanbench.evaluation.plan import Candidate, RunOptions
    from vanbench.typed_json import Json
    from vanbench.zoo.entries import Entry

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
    from vanbench.evaluation.result import not_measured_json
    from vanbench.evaluation.validate import validate_candidates

    data = data or settings.zoo.data
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    if checkpoint and (model or all_):
        raise click.UsageError("Give models of the zoo or --checkpoint, not both.")
    if checkpoint:
        found: list[Candidate | Failure] = [_own_candidate(settings, checkpoint, options)]
    else:
        entries = select(settings.zoo, model, all_)
        found = _zoo_candidates(settings, entries, mirrors, offline, options)
    candidates = [item for item in found if not isinstance(item, Failure)]
    options = replace(options, precision=precision)
    passes, errors = validate_candidates(candidates, data, options, settings.progress)
    errors |= {item.name: item.error for item in found if isinstance(item, Failure)}
    errors = {item.name: errors[item.name] for item in found if item.name in errors}
    documents = [
        not_measured_json(item.name, errors[item.name])
        if item.name in errors
        else passes[item.name].as_json(item.name)
        for item in found
    ]
    if settings.as_json:
        data_json = next((result.data_json() for result in passes.values()), None)
        print_json(models=documents, data=data_json)
    else:
        _print(documents)
        for result in {id(result): result for result in passes.values()}.values():
            settings.say(result.describe(), multiline=True)
    exit_for(errors)


@dataclass(frozen=True)
class Failure:
    """A model of the zoo without a file to validate."""

    name: str
    error: VanbenchError


def _own_candidate(settings: Settings, path: Path, options: "RunOptions") -> "Candidate":
    """The file of ``--checkpoint``, under the protocol of the zoo."""
    from vanbench.checkpoints.load import open_checkpoint
    from vanbench.evaluation.plan import Candidate

    protocol = settings.zoo.entries[0].protocol
    take = partial(open_checkpoint, path, weights=options.weights)
    return Candidate(path.name, protocol, take)


def _zoo_candidates(
    settings: Settings,
    entries: tuple["Entry", ...],
    mirrors: tuple[str, ...],
    offline: bool,
    options: "RunOptions",
) -> "list[Candidate | Failure]":
    """Each entry with its file, or why there is none."""
    from vanbench.checkpoints.load import open_checkpoint
    from vanbench.download.obtain import Sources, obtain_all
    from vanbench.evaluation.plan import Candidate

    sources = Sources(settings.cache, mirrors, offline)
    found: list[Candidate | Failure] = []
    for outcome in obtain_all(settings.zoo, entries, sources, settings.results, settings.progress):
        entry = outcome.entry
        if outcome.error:
            found.append(Failure(entry.name, outcome.error))
        elif outcome.fetched:
            take = partial(
                open_checkpoint,
                outcome.fetched.file,
                layer_norm_eps=entry.layer_norm_eps,
                weights=options.weights,
            )
            found.append(Candidate(entry.name, entry.protocol, take))
    return found


COLUMNS = ["model", ">images", ">Top-1 %", ">95 % interval", ">Top-5 %", ">correct", ">in top 5"]


def _print(documents: list["Json"]) -> None:
    """A row for each model; one that failed has its status in place of the figures."""
    print_table(COLUMNS, [_row(document) for document in documents])


def _row(model: "Json") -> list[str]:
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
