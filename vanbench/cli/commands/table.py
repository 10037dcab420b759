"""``vanbench table``."""

from pathlib import Path

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
@option("--check", type=FILE, help="Exit with 1 and a diff if what FILE shows is out of date.")
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

    --write also writes the figures that they show, RESULTS/ZOO/counts.svg and, once an accuracy
    was measured, accuracy.svg. If FILE has these two lines as well, the costs are put between them:
    the size of the download and, where bench measured the models, the time on a CPU.

    \b
    <!-- vanbench:costs:begin -->
    <!-- vanbench:costs:end -->

    And with these, a table of what the claims of all shipped zoos come to, as vanbench claims
    shows them:

    \b
    <!-- vanbench:claims:begin -->
    <!-- vanbench:claims:end -->

    --check checks the blocks and the figures.
    """
    from vanbench.cli.output import echo, print_json
    from vanbench.cli.phrases import next_command
    from vanbench.report.document import content, difference, update
    from vanbench.report.rows import rows_on_record

    if write and check:
        raise click.UsageError("Give --write or --check, not both.")
    if format_ != "markdown" and (write or check or settings.as_json):
        raise click.UsageError("--write, --check and --json go with --format markdown alone.")
    rows = rows_on_record(settings.zoo, settings.results)
    if format_ != "markdown":
        return _print_format(settings, rows, format_)
    wanted = content(settings.zoo.name, rows, settings.results, write or check)
    if settings.as_json:
        document: Document = {"zoo": settings.zoo.name, "models": [as_json(row) for row in rows]}
        print_json(**document)
    elif not (write or check):
        echo(wanted.results.rstrip("\n"), multiline=True, wrap=False)
    if write:
        changed = update(write, wanted)
        settings.say(f"{write}: {'updated' if changed else 'already up to date'}.")
    if check and (diff := difference(check, wanted)):
        step = next_command("table", "--write", str(check))
        echo(diff, err=True, multiline=True, wrap=False)
        echo(f"{check}: the Results table is out of date. Run: {step}", err=True, wrap=False)
        click.get_current_context().exit(1)


def _print_format(settings: Settings, rows: list[ModelRow], name: str) -> None:
    """Print the results in a form of another tool, whole on stdout; the rest goes to stderr."""
    from vanbench.cli.output import echo

    form = FORMATS[name]
    for line in form.render(rows).splitlines():
        echo(line, wrap=False)
    if missing := form.left_out(rows):
        settings.say(f"Without a measured result, and so not in it: {', '.join(missing)}.")
