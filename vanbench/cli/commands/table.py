"""``vanbench table``."""

import os
from pathlib import Path
from urllib.parse import quote

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option
from vanbench.report.formats.registry import FORMATS
from vanbench.report.row_json import RowJson, as_json
from vanbench.report.rows import ModelRow


class Document(TypedDict):
    """What is on record of each model of a zoo."""

    zoo: str
    """The zoo's name."""
    models: list[RowJson]
    """The models, in the order of the zoo."""


EXAMPLES = """\b
Examples:
  vanbench table
  vanbench table --write README.md
  vanbench table --check README.md
  vanbench table --format junit
"""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=EXAMPLES)
@common_options
@option("--write", type=FILE, help="Put the results between the markers of FILE.")
@option("--check", type=FILE, help="Exit with 1 and a diff if the results in FILE are out of date.")
@option(
    "--format",
    "format_",
    type=click.Choice(("markdown", *FORMATS)),
    default="markdown",
    show_default=True,
    help="Form in which the results are printed, such as that of other tools.",
)
def command(settings: Settings, write: Path | None, check: Path | None, format_: str) -> None:
    """Print the results as Markdown or in another format.

    What was found, a table, and the details folded: generated from the zoo and the records under
    results/. FILE must hold these two lines:

    \b
    <!-- vanbench:results:begin -->
    <!-- vanbench:results:end -->

    --write also writes the figure that they show, RESULTS/ZOO/counts.svg, and --check checks it.
    """
    from vanbench.cli.output import echo, print_json
    from vanbench.report import markers
    from vanbench.report.chart_svg import complexity_svg
    from vanbench.report.rows import rows_on_record
    from vanbench.report.tables import summary

    if write and check:
        raise click.UsageError("Give --write or --check, not both.")
    if format_ != "markdown" and (write or check or settings.as_json):
        raise click.UsageError("--write, --check and --json go with --format markdown alone.")
    rows = rows_on_record(settings.zoo, settings.results)
    if format_ != "markdown":
        return _print_format(settings, rows, format_)
    drawn = complexity_svg(rows)
    figure = settings.results / settings.zoo.name / "counts.svg"
    text = summary(rows, _link(figure, write or check) if drawn else None)
    if settings.as_json:
        document: Document = {"zoo": settings.zoo.name, "models": [as_json(row) for row in rows]}
        print_json(**document)
    elif not (write or check):
        echo(text.rstrip("\n"), multiline=True, wrap=False)
    if write:
        changed = markers.write(write, text) | (drawn is not None and _update(figure, drawn))
        settings.say(f"{write}: {'updated' if changed else 'already up to date'}.")
    if check and (diff := markers.difference(check, text) or _stale(figure, drawn)):
        echo(diff, err=True, multiline=True, wrap=False)
        echo(
            f"{check}: the Results table is out of date. Run: vanbench table --write {check}",
            err=True,
        )
        click.get_current_context().exit(1)


def _print_format(settings: Settings, rows: list[ModelRow], name: str) -> None:
    """Print the results in a form of another tool, whole on stdout; the rest goes to stderr."""
    from vanbench.cli.output import echo

    form = FORMATS[name]
    for line in form.render(rows).splitlines():
        echo(line, wrap=False)
    if missing := form.left_out(rows):
        settings.say(f"Without a measured result, and so not in it: {', '.join(missing)}.")


def _link(figure: Path, document: Path | None) -> str:
    """The address of the figure, relative to the document's folder or else the current one."""
    folder = document.parent if document else Path()
    try:
        return quote(Path(os.path.relpath(figure, folder)).as_posix())
    except ValueError:  # on another drive of Windows
        return figure.as_uri()


def _update(path: Path, text: str) -> bool:
    """Write the file unless it holds this text; whether it was written."""
    from vanbench.files import write_atomically

    if _stale(path, text):
        write_atomically(path, text)
        return True
    return False


def _stale(path: Path, text: str | None) -> str:
    """A sentence if the file does not hold this text, else nothing."""
    if text is None or (path.is_file() and path.read_bytes() == text.encode()):
        return ""
    return f"{path}: the figure is out of date."
