"""``vanbench data``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option
from vanbench.cli.phrases import next_command
from vanbench.data.data_json import DataJson
from vanbench.interrupts import keeping
from vanbench.progress import counted

if TYPE_CHECKING:
    from vanbench.data.inspect import DataReport


class Document(TypedDict):
    """A data set as it was found."""

    models: tuple[()]
    """Always empty: no model was run."""
    data: DataJson
    """The data set."""


NOTHING_KEPT = "Nothing was written. The same command starts again."

EXAMPLES = """\b
Examples:
  vanbench data /data/imagenet
  vanbench data /data/imagenet/ILSVRC2012_img_val.tar --decode
  vanbench data --zoo demo --json
"""


@click.command(epilog=EXAMPLES)
@common_options
@click.argument("path", required=False, type=click.Path(path_type=Path), envvar="VANBENCH_DATA")
@option("--decode", is_flag=True, help="Decode every image in full, not only its header.")
@option(
    "--workers",
    type=click.IntRange(min=1),
    help="Reading threads.  [default: one per core, at most 16]",
)
def command(settings: Settings, path: Path | None, decode: bool, workers: int | None) -> None:
    """Inspect a data set: layout, images, faults, fingerprint.

    PATH is a folder, a tar or a Parquet file [default: VANBENCH_DATA, or the data of the zoo].
    Every image is read once; nothing is written. Exits with 1 if the set is altered.
    """
    from vanbench.cli.output import print_json
    from vanbench.data.inspect import inspect
    from vanbench.data.open import open_images

    zoo = settings.zoo
    path = path or zoo.data
    if path is None:
        raise click.UsageError("Which data set? Give its PATH (or set VANBENCH_DATA).")
    protocol = zoo.entries[0].protocol
    images = open_images(path, protocol.class_ids)
    with keeping(lambda: NOTHING_KEPT), settings.progress("reading images", "images") as update:
        report = inspect(images, protocol=protocol, decode=decode, workers=workers, progress=update)
    if settings.as_json:
        document: Document = {"models": (), "data": report.as_json()}
        print_json(**document)
    else:
        _print(report, [] if path == zoo.data else ["--data", str(path)])
    if report.faults:
        click.get_current_context().exit(1)


def _print(report: "DataReport", given: list[str]) -> None:
    """The verdict, what it is made of, and what to do next."""
    from vanbench.cli.output import echo

    echo(f"{report.sentence}.")
    for problem in report.problems:
        echo(f"  {'fault' if problem.fault else 'note'}: {problem}")
    echo()
    for name, value in {
        "data": report.path,
        "layout": report.layout,
        **_real(report),
        "checked": "every image decoded" if report.decoded else "headers (--decode for the rest)",
        "fingerprint": report.fingerprint,
    }.items():
        echo(f"{name:12} {value}", wrap=False)
    echo()
    echo(f"Next: {_next(report, given)}", wrap=False)


def _real(report: "DataReport") -> dict[str, str]:
    """The labels of ImageNet-ReaL, if they are near the images."""
    if report.real is None:
        return {}
    count = f"{counted(len(report.real.of), 'image')} with labels"
    other = "" if report.real.is_published else ", not the published ones"
    return {"ReaL labels": f"{report.real.path} ({count}{other})"}


def _next(report: "DataReport", given: list[str]) -> str:
    """The command to type now; ``given`` is --data where the zoo has no data or other ones."""
    from vanbench.data.summary import ALTERED, SUBSET

    if report.verdict == ALTERED:
        return f"{next_command('data', report.path)} (when the faults are repaired)"
    if report.verdict == SUBSET:
        return f"{next_command('validate', '--all', *given)} (a partial result)"
    return next_command("verify", "--all", *given)
