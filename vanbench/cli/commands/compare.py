"""``vanbench compare``."""

import re
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option, run_argument
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.prediction_store.compare import AgreementJson
from vanbench.progress import in_number

if TYPE_CHECKING:
    from vanbench.prediction_store.compare import Agreement, RunPredictions


class Document(TypedDict):
    """How two runs relate."""

    models: tuple[()]
    """Always empty: the runs may be of models that no zoo has."""
    comparison: AgreementJson
    """The comparison."""


FLIPS: list[str | Column] = [
    Column("image", fit=MIDDLE),
    Column("class", drop=2),
    "before",
    "after",
    "effect",
    Column(">margin", drop=1),
]

SHA256 = re.compile("[0-9a-f]{64}")

EXAMPLES = """\b
Examples:
  vanbench predictions
  vanbench compare 1 4
  vanbench compare before-upgrade.csv van_b0.in1k --flips 50
"""


@click.command(epilog=EXAMPLES)
@common_options
@run_argument("first")
@run_argument("second")
@option(
    "--flips",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="How many of the images that flipped to show.",
)
def command(settings: Settings, first: str, second: str, flips: int) -> None:
    """Compare the predictions of two runs, image by image.

    Prints how many images flipped and whether that is more than chance, then which ones.
    Each run is the number of a stored run, a model's name for its last run, or a CSV file of
    predictions. Exits with 1 if any first choice differs.
    """
    from vanbench.prediction_store.compare import compare_runs, load_run
    from vanbench.prediction_store.store import FILE

    runs = [load_run(settings.results / FILE, name) for name in (first, second)]
    agreement = compare_runs(*runs)
    if settings.as_json:
        document: Document = {"models": (), "comparison": agreement.as_dict()}
        print_json(**document)
    else:
        _print(runs, agreement, flips)
        echo(f"Next: {_next(first, second, agreement, flips)}", wrap=False)
    if agreement.flips or agreement.relabelled:
        click.get_current_context().exit(1)


def _print(runs: "list[RunPredictions]", agreement: "Agreement", shown: int) -> None:
    from vanbench.prediction_store.compare import shorten

    a, n = agreement, agreement.images
    echo(f"{a.conclusion[0].upper()}{a.conclusion[1:]}.")
    echo()
    echo(f"{runs[0].title} → {runs[1].title}, over {n:,} images that both have")
    if a.changed is None:
        unknown = " and ".join(run.title for run in runs if run.key is None)
        echo(f"  what changed is not known: {unknown} does not say how it was computed")
    for name, (before, after) in (a.changed or {}).items():
        values = (_digits(shorten(value)) for value in (before, after))
        echo(f"  {name}: {' → '.join(values)}")
    if a.duplicates:
        images = in_number(a.duplicates, "{n} {image has|images have} those of another one")
        echo(f"same bytes           {images}")
    echo(f"same first choice    {a.same_top1:,} of {n:,}")
    echo(f"same five choices    {a.same_top5:,} of {n:,}")
    echo(_describe_labels(a), multiline=True)
    if a.largest_logit_difference is not None:
        echo(f"logits differ by     at most {a.largest_logit_difference:.3g}")
    _print_flips(a, shown)


def _digits(value: str) -> str:
    """A hash by its first digits, which names of files have too; another value as it is."""
    return value[:8] if SHA256.fullmatch(value) else value


def _next(first: str, second: str, agreement: "Agreement", shown: int) -> str:
    """The command to type now: for all the flips, else for the data behind the second run."""
    if len(agreement.flips) > shown:
        return next_command("compare", first, second, "--flips", str(len(agreement.flips)))
    return next_command("predictions", second, "--write", "FILE.csv")


def _describe_labels(a: "Agreement") -> str:
    """Who is right how often; nothing of the kind where the labels differ."""
    if a.correct is None:
        return (
            f"labels differ        for {a.relabelled:,} of {a.images:,} images: only predictions "
            "are compared"
        )
    before, after = a.correct
    points = f"{100 * (after - before) / a.images:+.3f}"
    return (
        f"correct (Top-1)      {before:,} → {after:,} ({points} points)\n"
        f"gained, lost         {a.gained:,}, {a.lost:,} (McNemar's exact p = {a.p:.3g})"
    )


def _print_flips(a: "Agreement", shown: int) -> None:
    echo()
    rows = [
        [
            flip.name,
            flip.wnid,
            flip.before,
            flip.after,
            flip.effect or "labels differ",
            f"{flip.margin:.4f}",
        ]
        for flip in a.flips[:shown]
    ]
    if rows:
        title = f"{counted(len(a.flips), 'image')} flipped"
        title += f"; the first {shown}" if shown < len(a.flips) else ""
        print_table(FLIPS, rows, title=title)
