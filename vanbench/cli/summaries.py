"""A list of commands in which no summary is cut."""

import click

WHOLE = 1000  # characters of a summary, which is one sentence


class SummarizedGroup(click.Group):
    """A group whose help wraps the summaries of its commands; click cuts them to one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the visible commands with their summaries."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, command.get_short_help_str(limit=WHOLE))
            for name, command in commands
            if command and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
