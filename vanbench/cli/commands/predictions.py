"""``vanbench predictions``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option, run_argument
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import MIDDLE, WORDS, Column
from vanbench.prediction_store.rows import RunJson

if TYPE_CHECKING:
    from vanbench.prediction_store.prediction import Tally
    from vanbench.prediction_store.store import StoredRun


class Document(TypedDict):
    """The stored runs."""

    models: tuple[()]
    """Always empty: the runs may be of models that no zoo has."""
    runs: list[RunJson]
    """The runs that are stored, or the one that was exported."""


EXAMPLES = """\b
Examples:
  vanbench predictions
  vanbench predictions van_b0.in1k --write van_b0.csv
  vanbench predictions 3 --write run3.parquet
"""


@click.command(epilog=EXAMPLES)
@common_options
@run_argument("run", required=False)
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
    from vanbench.prediction_store.export import write as write_table
    from vanbench.prediction_store.rows import find_run, run_json, stored_rows, stored_tally
    from vanbench.prediction_store.store import FILE, Store

    if (run is None) != (write is None):
        raise click.UsageError("Give a RUN and --write FILE to export, or neither for the list.")
    with Store(settings.results / FILE, create=False) as store:
        shown = store.runs()
        if run is not None and write is not None:
            shown = [found := find_run(store, run)]
            count = write_table(write, stored_rows(store, found), found)
            settings.say(f"{write}: {count:,} predictions of run {found.id} ({found.model}).")
        runs = [(stored, stored_tally(store, stored)) for stored in shown]
    if settings.as_json:
        document: Document = {
            "models": (),
            "runs": [run_json(stored, tally) for stored, tally in runs],
        }
        print_json(**document)
    elif write is None:
        _print(runs, settings)


COLUMNS: list[str | Column] = [
    ">run",
    Column("model", fit=MIDDLE),
    Column("sha256", drop=3),
    ">images",
    ">Top-1 %",
    Column("precision", drop=1),
    Column("device", drop=2),
    Column("torch", drop=4),
    Column("started", drop=5),
    Column("differs in", fit=WORDS),
]
SHOWN = ("checkpoint", "numerics.precision", "numerics.device", "numerics.torch")


def _print(runs: "list[tuple[StoredRun, Tally]]", settings: Settings) -> None:
    """How many runs there are, which ones, and what to do with them."""
    from vanbench.prediction_store.compare import distinctions, shorten
    from vanbench.prediction_store.store import FILE

    are = "is" if len(runs) == 1 else "are"
    echo(f"{counted(len(runs), 'run')} {are} stored in {settings.results / FILE}.")
    if not runs:
        echo(f"Next: {next_command('validate', '--all', '--data', 'PATH')}", wrap=False)
        return
    echo()
    others = distinctions([stored.key for stored, _ in runs], without=SHOWN)
    rows = [
        [
            str(stored.id),
            stored.model,
            stored.key.checkpoint[:8],
            _images(stored, tally),
            f"{tally.top1:.3f}" if tally.images else "",
            str(stored.key.numerics.get("precision", "")),
            str(stored.key.numerics.get("device", "")),
            str(stored.key.numerics.get("torch", "")),
            stored.started,
            ", ".join(f"{_short(name)} = {shorten(value)}" for name, value in differing.items()),
        ]
        for (stored, tally), differing in zip(runs, others, strict=True)
    ]
    print_table(COLUMNS, rows)
    echo(f"Next: {_next([stored for stored, _ in runs])}", wrap=False)


def _short(name: str) -> str:
    """The last part of a key's name, such as ``model`` of ``numerics.model``."""
    return name.rpartition(".")[2]


def _images(stored: "StoredRun", tally: "Tally") -> str:
    """How many predictions Top-1 is over, and of how many that are stored if it is not all."""
    if tally.images in (0, stored.images):
        return f"{stored.images:,}"
    return f"{tally.images:,} of {stored.images:,}"


def _next(runs: "list[StoredRun]") -> str:
    """To compare the last run with an earlier one over the same images, else to export it."""
    last = runs[-1]
    earlier = [run for run in runs[:-1] if run.fingerprint == last.fingerprint]
    alike = [run for run in earlier if run.model == last.model] or earlier
    if alike:
        return next_command("compare", str(alike[-1].id), str(last.id))
    return next_command("predictions", str(last.id), "--write", "FILE.csv")
