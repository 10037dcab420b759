"""``vanbench validate``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.model_names import select
from vanbench.cli.options import (
    Settings,
    arithmetic_options,
    common_options,
    data_option,
    model_argument,
    option,
    run_options,
    source_options,
)
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import data_given, next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.errors import FetchError
from vanbench.evaluation.result_json import ClaimJson, ClaimsJson, UsedData, ValidatedModel
from vanbench.progress import counted
from vanbench.report.records import FP32
from vanbench.report.verdicts import DEVIATES, SYMBOLS

if TYPE_CHECKING:
    from vanbench.evaluation.models import Validated
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
  vanbench validate --checkpoint my_van.onnx --data /data/imagenet/val
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
@source_options
@run_options
@arithmetic_options
def command(
    settings: Settings,
    model: tuple[str, ...],
    all_: bool,
    checkpoint: Path | None,
    data: Path | None,
    mirrors: tuple[str, ...],
    offline: bool,
    options: "RunOptions",
) -> None:
    """Measure Top-1 and Top-5 on a validation set.

    Each image is decoded once for all models.
    Preprocessing is the zoo's protocol, or the one in the metadata of an exported file (.onnx, or
    .xml of OpenVINO). Every prediction is kept in RESULTS/predictions.sqlite, so
    that the same command resumes an interrupted run. No record is written; verify does that.
    """
    from vanbench.download.obtain import Sources
    from vanbench.evaluation.models import validate_entries, validate_file

    data = data or settings.zoo.data
    if data is None:
        raise click.UsageError("Where are the images? Give --data PATH (or set VANBENCH_DATA).")
    if checkpoint and (model or all_):
        raise click.UsageError("Give models of the zoo or --checkpoint, not both.")
    if checkpoint:
        protocol = settings.zoo.entries[0].protocol
        validated = validate_file(checkpoint, protocol, data, options, settings.progress)
    else:
        entries = select(settings.zoo, model, all_)
        sources = Sources(settings.cache, mirrors, offline)
        validated = validate_entries(
            settings.zoo, entries, sources, settings.results, data, options, settings.progress
        )
    if not options.team.here.is_first:
        return
    if settings.as_json:
        document: Document = {"models": validated.models_json(), "data": validated.data_json()}
        print_json(**document)
    else:
        names = ["--all"] if all_ else list(validated.names)
        _print(validated, settings, _next(validated, names, data_given(), checkpoint))
    exit_for(validated.errors)


COLUMNS = (
    Column("model", fit=MIDDLE),
    ">Top-1 %",
    Column("95 % interval", drop=1),
    Column(">reported", drop=3),
    Column(">difference", drop=2),
    Column(">Top-5 %", drop=4),
    ">images",
    Column(">correct", drop=6),
    Column(">in top 5", drop=5),
)


def _print(validated: "Validated", settings: Settings, next_line: str) -> None:
    """The table, what it says about the published numbers, where the time went, what to do next."""
    documents = validated.models_json()
    print_table(COLUMNS, [_row(document) for document in documents])
    for line in (*_meanings(documents), *_other_precisions(validated), *_real(documents)):
        echo(line)
    for result in validated.distinct_passes:
        settings.say(result.describe(), multiline=True)
    if next_line:
        echo(f"Next: {next_line}", wrap=False)


def _row(model: ValidatedModel) -> list[str]:
    """One that failed has its status in place of the figures."""
    if model["images"] is None:
        return [model["name"], model["status"], "", "", "", "", "", "", ""]
    assert model["ci95"] is not None
    low, high = model["ci95"]
    claim = model["claims"]["top1"] if model["claims"] else None
    symbol = f"{SYMBOLS[claim['verdict']]} " if claim else ""
    delta = claim["delta"] if claim else None
    return [
        model["name"],
        f"{symbol}{model['top1']:.3f}".lstrip(),
        f"{low:.2f} – {high:.2f}",
        (claim and claim["reported_text"]) or "",
        "" if delta is None else f"{delta:+.3f}".replace("-", "−"),
        f"{model['top5']:.3f}",
        f"{model['images']:,}",
        f"{model['correct1']:,}",
        f"{model['correct5']:,}",
    ]


def _meanings(documents: list[ValidatedModel]) -> Iterator[str]:
    """What the figures say about the published ones, each once with its models."""
    names: dict[str, list[str]] = {}
    for model in documents:
        for name, claim in _reported(model):
            reason = f": {claim['reason']}" if claim["reason"] else ""
            text = f"{SYMBOLS[claim['verdict']]} {name} {claim['verdict']}{reason}"
            names.setdefault(text, []).append(model["name"])
    for text, models in names.items():
        yield f"{text} ({', '.join(models)})."


def _other_precisions(validated: "Validated") -> Iterator[str]:
    """What another precision than fp32 changed."""
    from vanbench.report.other_precisions import other_accuracies

    for row in validated.rows.values():
        yield from (f"{other}." for other in other_accuracies(row))
    for name, result in validated.passes.items():
        numerics = result.numerics_by_model[name]
        if name not in validated.rows and numerics.precision != FP32:
            more = f", {numerics.calibration.text}" if numerics.calibration else ""
            yield f"{name}: computed in {numerics.precision} by {numerics.runtime}{more}."


def _real(documents: list[ValidatedModel]) -> Iterator[str]:
    """What the same predictions give by the labels of ImageNet-ReaL, where these are there."""
    for model in documents:
        if real := model["real"]:
            found = " and ".join(
                f"{name} {claim['verdict']}" for name, claim in _published(real["claims"])
            )
            part = " (partial)" if real["partial"] else ""
            yield (
                f"{model['name']} on ImageNet-ReaL{part}: Top-1 {real['top1']:.3f} %, Top-5 "
                f"{real['top5']:.3f} %, over {counted(real['images'], 'image')}"
                f"{f'; {found}' if found else ''}."
            )


def _reported(model: ValidatedModel) -> Iterator[tuple[str, ClaimJson]]:
    """Top-1 and Top-5 where a number was published; together where both say the same."""
    yield from _published(model["claims"])


def _published(claims: ClaimsJson | None) -> Iterator[tuple[str, ClaimJson]]:
    if claims is None:
        return
    one, five = claims["top1"], claims["top5"]
    found = [
        (name, claim) for name, claim in (("Top-1", one), ("Top-5", five)) if claim["reported_text"]
    ]
    if len(found) == 2 and (one["verdict"], one["reason"]) == (five["verdict"], five["reason"]):
        found = [("Top-1 and Top-5", one)]
    yield from found


def _next(
    validated: "Validated", names: list[str], source: list[str], checkpoint: Path | None
) -> str:
    """The command to type now; empty where the failures above say what to do."""
    rows = validated.rows.values()
    if wrong := [r for r in rows if DEVIATES in (r.top1.verdict, r.top5.verdict)]:
        observed = ["--observed", f"{float(wrong[0].top1.measured or 0):.2f}"]
        return next_command("diagnose", wrong[0].entry.name, *source, *observed)
    if any(isinstance(error, FetchError) for error in validated.errors.values()):
        return next_command("validate", *names, *source, "--mirror", "URL|FOLDER")
    if validated.passes and any(r.data.used < r.data.total for r in validated.distinct_passes):
        again = ["--checkpoint", str(checkpoint)] if checkpoint else names
        return next_command("validate", *again, *source)
    if validated.passes and not checkpoint:
        return next_command("verify", *names, *source)
    return next_command("predictions") if validated.passes else ""
