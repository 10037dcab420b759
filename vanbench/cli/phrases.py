"""Phrases that the answers of several commands have: the next command, counts, sizes."""

import shlex
from collections.abc import Iterable, Iterator

import click
from click.core import ParameterSource

from vanbench.progress import counted as counted
from vanbench.progress import size_of as size_of

SHARED = ("zoo", "cache", "results")


def next_command(*words: str, shared: Iterable[str] = SHARED) -> str:
    """``vanbench`` with these words, and the zoo and folders that this command was given.

    What comes from environment variables holds for the next command as well, and is left out.
    """
    return shlex.join(["vanbench", *words, *_options(click.get_current_context(), shared)])


def _options(context: click.Context, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield from (f"--{name}", str(context.params[name]))


def data_given() -> list[str]:
    """``--data`` with its path if this command was given it, for ``next_command``; else nothing."""
    return list(_options(click.get_current_context(), ("data",)))
