"""``vanbench table``."""

from pathlib import Path

import click

from vanbench.cli.options import Settings, common_options, option

EXAMPLES = """\b
Examples:
  vanbench table
  vanbench table --write README.md
  vanbench table --check README.md
"""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=EXAMPLES)
@common_options
@option("--write", type=FILE, help="Put the table between the markers of FILE.")
@option("--check", type=FILE, help="Exit with 1 and a diff if the table in FILE is out of date.")
def command(settings: Settings, write: Path | None, check: Path | None) -> None:
    """Print the Results table as Markdown.

    It is generated from the zoo and the records under results/. FILE must hold these two lines:

    \b
    <!-- vanbench:results:begin -->
    <!-- vanbench:results:end -->
    """
    from vanbench.cli.output import echo, print_json
    from vanbench.report import markers
    from vanbench.report.rows import as_json, rows_on_record
    from vanbench.report.tables import markdown

    if write and check:
        raise click.UsageError("Give --write or --check, not both.")
    rows = rows_on_record(settings.zoo, settings.results)
    if settings.as_json:
        print_json(zoo=settings.zoo.name, models=[as_json(row) for row in rows])
    elif not (write or check):
        echo(markdown(rows).rstrip("\n"), multiline=True)
    if write:
        changed = markers.write(write, markdown(rows))
        settings.say(f"{write}: {'updated' if changed else 'already up to date'}.")
    if check and (diff := markers.difference(check, markdown(rows))):
        echo(diff, err=True, multiline=True)
        echo(
            f"{check}: the Results table is out of date. Run: vanbench table --write {check}",
            err=True,
        )
        click.get_current_context().exit(1)
