"""Phrases that the answers of several commands have: the next command, counts, sizes."""

import shlex
from collections.abc import Iterator

import click
from click.core import ParameterSource

SHARED = ("zoo", "cache", "results")


def next_command(*words: str) -> str:
    """``vanbench`` with these words, and the zoo and folders that this command was given.

    What comes from environment variables holds for the next command as well, and is left out.
    """
    return shlex.join(["vanbench", *words, *_given(click.get_current_context())])


def _given(context: click.Context) -> Iterator[str]:
    for name in SHARED:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield from (f"--{name}", str(context.params[name]))


def counted(number: int, noun: str) -> str:
    """A number of things, such as ``1 file`` and ``1,234 files``.

    >>> counted(1, "file"), counted(1234, "file")
    ('1 file', '1,234 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size_of(count: int) -> str:
    """A number of bytes in the unit that fits; 1 kB is 1,000 bytes.

    >>> size_of(0), size_of(16_400), size_of(183_000_000), size_of(1_250_000_000)
    ('0 B', '16.4 kB', '183 MB', '1.25 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            value = count / factor
            return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"
    return f"{count} B"
