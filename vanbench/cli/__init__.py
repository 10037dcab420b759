"""The command line; ``main`` is what the command ``vanbench`` calls."""

from vanbench.cli.group import main

__all__ = ["main"]
