"""``vanbench download``."""

import click

from vanbench.cli.options import Settings, common_options, model_arguments, source_options
from vanbench.zoo.entries import Entry

EXAMPLES = """\b
Examples:
  vanbench download van_b0
  vanbench download --all --cache /data/checkpoints
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@source_options
def command(
    settings: Settings, entries: tuple[Entry, ...], mirrors: tuple[str, ...], offline: bool
) -> None:
    """Download checkpoint files and check their hashes.

    Prints where each file is.
    A file already in the cache is hashed again, not trusted. A failure does not stop the others.
    """
    from vanbench.cli.output import print_json
    from vanbench.download.obtain import Sources, obtain_all

    where = Sources(settings.cache, mirrors, offline)
    outcomes = obtain_all(settings.zoo, entries, where, settings.results, settings.progress)
    if settings.as_json:
        print_json(models=[outcome.as_json() for outcome in outcomes])
    for outcome in outcomes:
        if outcome.error is not None:
            click.echo(f"Error: {outcome.entry.name}: {outcome.error}", err=True)
        elif outcome.fetched and not settings.as_json:
            click.echo(f"{outcome.entry.name}  {outcome.fetched.status}  {outcome.fetched.path}")
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed:
        click.get_current_context().exit(failed[0].exit_code)
