"""``vanbench help``, which prints what ``--help`` prints."""

import click

from vanbench.cli.completion import complete_commands
from vanbench.cli.hints import unknown_command
from vanbench.cli.output import echo


@click.command("help", hidden=True)
@click.argument("names", metavar="[COMMAND]...", nargs=-1, shell_complete=complete_commands)
@click.pass_context
def command(context: click.Context, names: tuple[str, ...]) -> None:
    """Print the help of vanbench, or of a command."""
    shown = context.find_root()
    for name in names:
        group = shown.command
        inner = group.get_command(shown, name) if isinstance(group, click.Group) else None
        if inner is None:
            raise unknown_command(shown, name)
        shown = click.Context(inner, info_name=name, parent=shown)
    echo(shown.get_help(), multiline=True, wrap=False)
