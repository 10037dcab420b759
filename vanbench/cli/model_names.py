"""From the model names of a command line to the entries of the zoo."""

import os

import click

from vanbench.errors import UnknownModelError
from vanbench.outside.safe_text import for_terminal
from vanbench.zoo.entries import Entry, Zoo
from vanbench.zoo.reader import load_zoo, shipped_zoos
from vanbench.zoo.search import is_pattern, listed, matching, nearest, suggestion


def select(zoo: Zoo, names: tuple[str, ...], everything: bool) -> tuple[Entry, ...]:
    """The entries of these names and patterns, each once, in this order, or all entries.

    A usage error if names and ``everything`` are given, or neither.
    """
    if everything and names:
        raise click.UsageError("Give model names or --all, not both.")
    if not everything and not names:
        known = listed([entry.name for entry in zoo.entries])
        raise click.UsageError(f"Name at least one model, or give --all. The zoo has {known}.")
    if everything:
        return zoo.entries
    return tuple(
        {entry.name: entry for name in names for entry in matching_or_hint(zoo, name)}.values()
    )


def select_one(zoo: Zoo, name: str) -> Entry:
    """The entry of this name; a pattern must match one."""
    matching_or_hint(zoo, name)
    return zoo.find(name)


def matching_or_hint(zoo: Zoo, name: str) -> tuple[Entry, ...]:
    """The entries that a name means; the error for an unknown one also knows what is elsewhere."""
    try:
        return zoo.matching(name)
    except UnknownModelError as error:
        error.remedy = _of_a_file(name) or _of_another_zoo(zoo, name) or error.remedy
        raise


def _of_a_file(name: str) -> str:
    """What to do with a name that is not a model's but a file's; empty if there is no such file."""
    if not os.path.isfile(name):
        return ""
    file = for_terminal(name, most=200)
    return (
        f"It is a file: vanbench validate --checkpoint {file} measures it, and a zoo file gives it "
        "a name (docs/zoo.md)."
    )


def _of_another_zoo(zoo: Zoo, name: str) -> str:
    """Which other shipped zoo has the model, or a near one where ``zoo`` has none."""
    seen = {zoo.path, *(part.path for part in zoo.parts)}
    others = [load_zoo(other) for other, path in shipped_zoos().items() if path not in seen]
    for other in others:
        if found := matching(other.entries, name):
            names = listed([entry.name for entry in found])
            return f"The zoo {other.name!r} has {names}: give --zoo {other.name}."
    if is_pattern(name) or nearest(zoo.entries, name):
        return ""
    for other in others:
        if near := nearest(other.entries, name):
            return f"Did you mean {suggestion(near)} of --zoo {other.name}?"
    return ""
