"""``vanbench predictions``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vanbench.cli.options import Settings, common_options, option

if TYPE_CHECKING:
    from vanbench.prediction_store.store import StoredRun

EXAMPLES = """\b
Examples:
  vanbench predictions
  vanbench predictions van_b0.in1k --write van_b0.csv
  vanbench predictions 3 --write run3.parquet
"""


@click.command(epilog=EXAMPLES)
@common_options
@click.argument("run", required=False)
@option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to export the RUN: a .csv or .parquet file, one row per image.",
)
def command(settings: Settings, run: str | None, write: Path | None) -> None:
    """List the stored runs, or export the predictions of one.

    RUN is the number of a run, or a model's name for its last one. A run is one checkpoint under
    one protocol with the same numerics.
    """
    from vanbench.cli.output import print_json
    from vanbench.prediction_store.compare import export, find_run
    from vanbench.prediction_store.export import write as write_table
    from vanbench.prediction_store.store import FILE, Store

    if (run is None) != (write is None):
        raise click.UsageError("Give a RUN and --write FILE to export, or neither for the list.")
    with Store(settings.results / FILE, create=False) as store:
        if run is not None and write is not None:
            count = write_table(write, export(store, find_run(store, run)))
            settings.say(f"{write}: {count:,} predictions.")
            return
        runs = store.runs()
    if settings.as_json:
        print_json(models=[], runs=[_as_json(stored) for stored in runs])
    else:
        _print(runs)


def _as_json(stored: "StoredRun") -> dict[str, object]:
    return {
        "run": stored.id,
        "name": stored.model,
        "images": stored.images,
        "started": stored.started,
        "fingerprint": stored.fingerprint,
        "checkpoint": stored.key.checkpoint,
        "protocol": stored.key.protocol,
        "numerics": stored.key.numerics,
    }


def _print(runs: list["StoredRun"]) -> None:
    from vanbench.cli.output import print_table

    rows = [
        [
            str(stored.id),
            stored.model,
            stored.key.checkpoint[:8],
            f"{stored.images:,}",
            str(stored.key.numerics.get("precision", "")),
            str(stored.key.numerics.get("device", "")),
            str(stored.key.numerics.get("torch", "")),
            stored.started,
        ]
        for stored in runs
    ]
    columns = [">run", "model", "sha256", ">images", "precision", "device", "torch", "started"]
    print_table(columns, rows)
