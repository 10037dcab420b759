"""``vanbench download``."""

import click

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options, model_arguments, source_options
from vanbench.cli.output import echo, print_json
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
    from vanbench.download.obtain import Sources, obtain_all

    where = Sources(settings.cache, mirrors, offline)
    outcomes = obtain_all(settings.zoo, entries, where, settings.results, settings.progress)
    if settings.as_json:
        print_json(models=[outcome.as_json() for outcome in outcomes])
    for outcome in outcomes:
        if outcome.fetched and not settings.as_json:
            echo(f"{outcome.entry.name}  {outcome.fetched.status}  {outcome.fetched.path}")
    exit_for({o.entry.name: o.error for o in outcomes if o.error is not None})
