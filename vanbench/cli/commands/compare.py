"""``vanbench compare``."""

from typing import TYPE_CHECKING

import click

from vanbench.cli.options import Settings, common_options, option

if TYPE_CHECKING:
    from vanbench.prediction_store.compare import Agreement, RunPredictions

EXAMPLES = """\b
Examples:
  vanbench predictions
  vanbench compare 1 4
  vanbench compare before-upgrade.csv van_b0.in1k --flips 50
"""


@click.command(epilog=EXAMPLES)
@common_options
@click.argument("first")
@click.argument("second")
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

    Prints how far they agree, which images flipped, and McNemar's test.
    Each run is the number of a stored run, a model's name for its last run, or a CSV file of
    predictions. Exits with 1 if any first choice differs.
    """
    from vanbench.cli.output import print_json
    from vanbench.prediction_store.compare import compare_runs, load_run
    from vanbench.prediction_store.store import FILE

    runs = [load_run(settings.results / FILE, name) for name in (first, second)]
    agreement = compare_runs(*runs)
    if settings.as_json:
        print_json(models=[], comparison=agreement.as_dict())
    else:
        _print(runs, agreement, flips)
    if agreement.flips:
        click.get_current_context().exit(1)


def _print(runs: list["RunPredictions"], agreement: "Agreement", shown: int) -> None:
    from vanbench.cli.output import print_table

    a, n = agreement, agreement.images
    click.echo(f"{runs[0].title} → {runs[1].title}, over {n:,} images that both have")
    for name, (before, after) in a.changed.items():
        click.echo(f"  {name}: {before} → {after}")
    click.echo(f"same first choice    {a.same_top1:,} of {n:,}")
    click.echo(f"same five choices    {a.same_top5:,} of {n:,}")
    click.echo(f"correct (Top-1)      {a.correct[0]:,} → {a.correct[1]:,} ({_points(a)} points)")
    click.echo(f"gained, lost         {a.gained:,}, {a.lost:,} (McNemar's exact p = {a.p:.3g})")
    if a.largest_logit_difference is not None:
        click.echo(f"logits differ by     at most {a.largest_logit_difference:.3g}")
    rows = [
        [flip.name, flip.wnid, flip.before, flip.after, flip.effect, f"{flip.margin:.4f}"]
        for flip in a.flips[:shown]
    ]
    if rows:
        title = f"{len(a.flips):,} images flipped" + (
            f"; the first {shown}" if shown < len(a.flips) else ""
        )
        print_table(["image", "class", "before", "after", "effect", ">margin"], rows, title=title)


def _points(agreement: "Agreement") -> str:
    return f"{100 * (agreement.correct[1] - agreement.correct[0]) / agreement.images:+.3f}"
