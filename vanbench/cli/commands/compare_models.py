"""``vanbench compare-models``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option

if TYPE_CHECKING:
    from vanbench.report.model_comparison import ComparedModel

EXAMPLES = """\b
Examples:
  vanbench compare-models
  vanbench compare-models --csv models.csv --charts charts
"""


MEASURED = 4  # the column of measured Top-1, which is left out where there is none


class SpeedJson(TypedDict):
    """The speed of a model, from its benchmark record."""

    batch_size: int
    """Images in a batch."""
    images_per_s: float
    """Images per second at ``batch_size``, as PyTorch runs the model."""
    images_per_s_rewrite: float | None
    """Images per second of the exact rewrite; null for a baseline, to which it does not apply."""
    latency_ms_p50: float
    """Median latency of one image, in milliseconds."""
    machine: str
    """Processor, threads and version of torch."""
    date: str
    """When it was measured, as YYYY-MM-DD."""


class ModelJson(TypedDict):
    """One model: what is claimed, and what was measured."""

    name: str
    """The model, ARCH.TAG."""
    kind: str
    """``VAN`` or ``baseline``."""
    resolution: int
    """Side of the square input, in pixels."""
    params: int | None
    """Parameters; null where none are claimed."""
    flops_g: float | None
    """Multiply–adds of convolutions and matrix products, in G; null where none are claimed."""
    top1_claimed: float | None
    """The claimed Top-1, in percent; null if there is none."""
    top1_measured: float | None
    """The Top-1 on record, in percent; null if there is none."""
    speed: SpeedJson | None
    """The speed; null where none is on record on the machine of the others."""


class Document(TypedDict):
    """VANs beside the models that their paper compares them with."""

    models: list[ModelJson]
    """The VANs, then the baselines."""
    sentences: list[str]
    """What the speeds say that the FLOPs do not, and what was not measured."""
    files: list[str]
    """The files that --csv and --charts wrote."""


@click.command(epilog=EXAMPLES)
@common_options
@option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the numbers to FILE as CSV.",
)
@option(
    "--charts",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the charts to DIR as SVG files.",
)
def command(settings: Settings, csv_file: Path | None, folder: Path | None) -> None:
    """Show VANs beside the models of their paper.

    Accuracy, parameters, FLOPs and speed. The VANs are those of the zoo with a claimed Top-1; the
    baselines are the ResNets, ConvNeXts and Swins of the paper that torchvision has. FLOPs are the
    multiply-adds of convolutions and matrix products for all of them. Nothing is measured: the
    speeds are those that bench recorded, fp32 on one CPU.
    """
    from vanbench.cli.output import echo, print_json
    from vanbench.report.model_comparison import compare_models, sentences
    from vanbench.zoo.reader import load_zoo

    models = compare_models(settings.zoo, load_zoo("torchvision"), settings.results)
    found = sentences(models)
    files = _write(models, csv_file, folder)
    if settings.as_json:
        document: Document = {
            "models": [_json(model) for model in models],
            "sentences": found,
            "files": [str(path) for path in files],
        }
        print_json(**document)
        return
    _print(models)
    for text in found:
        echo(text)
    for path in files:
        settings.say(f"Written: {path}")
    if any(model.speed is None for model in models):
        echo(f"Next: {_next(models)}", wrap=False)


def _write(models: "list[ComparedModel]", csv_file: Path | None, folder: Path | None) -> list[Path]:
    from vanbench.files import write_atomically
    from vanbench.report.chart_svg import svg_file
    from vanbench.report.model_comparison import as_csv, charts

    wanted = {csv_file: as_csv(models)} if csv_file else {}
    for chart in charts(models) if folder else ():
        assert folder
        wanted[folder / f"{chart.key}.svg"] = svg_file(chart)
    for path, text in wanted.items():
        write_atomically(path, text)
    return list(wanted)


def _print(models: "list[ComparedModel]") -> None:
    from vanbench.cli.output import print_table
    from vanbench.cli.tables import MIDDLE, Column

    columns: list[str | Column] = [
        Column("model", fit=MIDDLE),
        Column(">params M", drop=2),
        ">FLOPs G",
        ">Top-1 %",
        Column(">measured", drop=4),
        ">images/s",
        Column(">rewrite", drop=1),
        Column(">p50 ms", drop=3),
    ]
    rows = [_row(model) for model in models]
    kept = [n for n in range(len(columns)) if n != MEASURED or any(m.measured for m in models)]
    print_table(
        [columns[n] for n in kept],
        [[row[n] for n in kept] for row in rows],
        title="VANs and baselines",
    )


def _row(model: "ComparedModel") -> list[str]:
    speed = model.speed
    return [
        model.name,
        "–" if model.params is None else f"{model.params / 1e6:.2f}",
        "–" if model.flops is None else f"{float(model.flops):.2f}",
        str(model.claimed or "–"),
        "–" if model.measured is None else f"{float(model.measured):.3f}",
        f"{speed.images_per_s:.1f}" if speed else "–",
        f"{speed.rewritten:.1f}" if speed and speed.rewritten else "–",
        f"{speed.latency_ms:.1f}" if speed else "–",
    ]


def _next(models: "list[ComparedModel]") -> str:
    """The command that measures what is missing, of VANs first."""
    from vanbench.cli.phrases import next_command
    from vanbench.report.model_comparison import BASELINE, PAPER, VAN

    missing = {kind: [m.name for m in models if m.kind == kind and m.speed is None]
               for kind in (VAN, BASELINE)}  # fmt: skip
    if missing[VAN]:
        return next_command("bench", *missing[VAN])
    names = [name for name in PAPER if any(m.startswith(f"{name}.") for m in missing[BASELINE])]
    return next_command("bench", *names, "--zoo", "torchvision", shared=("results",))


def _json(model: "ComparedModel") -> ModelJson:
    speed = model.speed
    return {
        "name": model.name,
        "kind": model.kind,
        "resolution": model.resolution,
        "params": model.params,
        "flops_g": None if model.flops is None else float(model.flops),
        "top1_claimed": None if model.claimed is None else float(model.claimed.value),
        "top1_measured": None if model.measured is None else float(model.measured),
        "speed": {
            "batch_size": speed.batch_size,
            "images_per_s": speed.images_per_s,
            "images_per_s_rewrite": speed.rewritten,
            "latency_ms_p50": speed.latency_ms,
            "machine": speed.machine,
            "date": speed.date,
        }
        if speed
        else None,
    }
