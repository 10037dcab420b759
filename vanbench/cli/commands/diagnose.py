"""``vanbench diagnose``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.model_names import select_one
from vanbench.cli.options import (
    Settings,
    common_options,
    data_option,
    decoding_options,
    model_argument,
    option,
    source_options,
)
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import next_command
from vanbench.cli.tables import WORDS, Column
from vanbench.diagnosis.diagnosis_json import DiagnosisJson
from vanbench.outside.safe_text import shorten
from vanbench.zoo.reported import Reported

if TYPE_CHECKING:
    from vanbench.diagnosis.ranking import Diagnosis


class Document(TypedDict):
    """What would give an unexpected Top-1."""

    models: tuple[()]
    """Always empty: the figures of ``diagnosis`` are estimates, and no measurements."""
    diagnosis: DiagnosisJson
    """The diagnosis of one model."""


EXAMPLES = """\b
Examples:
  vanbench diagnose van_b0 --data /data/imagenet/val --observed 72.03
  vanbench diagnose van_nano --zoo demo --observed 92.22
"""


class Percentage(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A percentage as printed, so that its precision is known."""

    name = "percentage"

    def convert(
        self, value: str | Reported, param: click.Parameter | None, ctx: click.Context | None
    ) -> Reported:
        if isinstance(value, Reported):
            return value
        try:
            figure = Reported(value)
        except ValueError:
            self.fail(f"expected a percentage such as 72.03, found {shorten(value)}", param, ctx)
        if not 0 <= figure.value <= 100:
            self.fail(f"expected a percentage from 0 to 100, found {shorten(value)}", param, ctx)
        return figure


@click.command(epilog=EXAMPLES)
@common_options
@model_argument()
@data_option()
@option(
    "--observed",
    type=Percentage(),
    metavar="TOP1",
    help="The Top-1 to explain, as printed.  [default: the reported one]",
)
@option(
    "--sample",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    metavar="N",
    help="How many images to run, spread evenly over the set.",
)
@decoding_options
@source_options
def command(
    settings: Settings,
    model: str,
    data: Path | None,
    observed: Reported | None,
    sample: int,
    on_error: str,
    device: str,
    batch_size: int | None,
    workers: int | None,
    mirrors: tuple[str, ...],
    offline: bool,
) -> None:
    """Find the mistake that would give an unexpected Top-1.

    Runs a sample of the images as the protocol says and under each plausible mistake alone:
    mean and std, channel order, EXIF, resizing, class order, weights, LayerNorm's eps. Says which
    would give the observed figure, or what the sample cannot tell apart, and ranks them by how near
    each comes.
    """
    from vanbench.checkpoints.load import open_checkpoint
    from vanbench.diagnosis.ranking import diagnose
    from vanbench.diagnosis.trial import run_trial
    from vanbench.download.obtain import Sources, obtain
    from vanbench.evaluation.plan import Candidate, RunOptions
    from vanbench.report import record_files

    zoo = settings.zoo
    entry = select_one(zoo, model)
    data = data or zoo.data
    target = observed or entry.claims.top1
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    if target is None:
        raise click.UsageError(f"{entry.name} has no reported Top-1. Give --observed TOP1.")
    recorded = record_files.read(settings.results, zoo.name, entry)
    where = Sources(settings.cache, mirrors, offline)
    file = obtain(entry, where, recorded, settings.progress)
    take = partial(
        open_checkpoint,
        file.file,
        layer_norm_eps=entry.layer_norm_eps,
        declared=entry.architecture,
    )
    candidate = Candidate(entry.name, entry.protocol, take)
    options = RunOptions(
        device=device,
        batch_size=batch_size,
        workers=workers,
        limit=sample,
        on_error=on_error,
        on_note=settings.say,
    )
    found = run_trial(candidate, data, options, settings.progress)
    diagnosis = diagnose(found, target, entry.claims.top1 if observed else None)
    if settings.as_json:
        document: Document = {"models": (), "diagnosis": diagnosis.as_json(entry.name)}
        print_json(**document)
    else:
        _print(diagnosis)
        given = [] if data == zoo.data else ["--data", str(data)]
        echo(f"Next: {_next(diagnosis, entry.name, given, observed)}", wrap=False)


def _next(diagnosis: "Diagnosis", name: str, given: list[str], observed: Reported | None) -> str:
    """The command to type now: on more images where they may tell, else the check of all numbers.

    A fault of the data set comes first. ``given`` is --data where it is not the zoo's own.
    """
    fitting = sum(explanation.fits for explanation in diagnosis.explanations)
    if diagnosis.data:
        return next_command("data", *given[1:])
    if fitting == 1 or diagnosis.images == diagnosis.total:
        return next_command("verify", name, *given)
    target = ["--observed", str(observed)] if observed else []
    more = str(min(diagnosis.total, 4 * diagnosis.images))
    return next_command("diagnose", name, *given, *target, "--sample", more)


def _print(diagnosis: "Diagnosis") -> None:
    rows = [
        [
            e.name,
            f"{e.correct:,}",
            f"{e.estimate.top1:.2f}",
            f"{e.estimate.low:.2f} – {e.estimate.high:.2f}",
            f"{e.distance:.2f}",
            "yes" if e.fits else "no",
            "no effect on these images" if e.without_effect else "",
        ]
        for e in diagnosis.explanations
    ]
    title = f"What gives {diagnosis.target}? {diagnosis.images:,} of {diagnosis.total:,} images"
    columns: list[str | Column] = [
        Column("mistake", fit=WORDS),
        Column(">correct", drop=2),
        ">Top-1 %",
        Column(">95 % interval", drop=1),
        ">off by",
        "fits",
        Column("", fit=WORDS),
    ]
    echo(diagnosis.conclusion)
    echo()
    print_table(columns, rows, title=title)
    if diagnosis.anchored:
        echo(
            "Top-1 is the reported figure plus the mistake's difference on these images, where "
            "that is more precise than the share of right images."
        )
    for name, reason in diagnosis.untried.items():
        echo(f"Not tried: {name}: {reason}.")
    for fault in diagnosis.data:
        echo(f"The data set may be the reason: {fault}.")
