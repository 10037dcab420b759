"""What a wrong command line may mean: misspelled commands, synonyms, misplaced options."""

import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import click

from vanbench.outside.safe_text import shorten
from vanbench.zoo.addresses import redact

SYNONYMS = {
    "accuracy": "validate",
    "benchmark": "bench",
    "check": "verify",
    "checksum": "hash",
    "complexity": "flops",
    "count": "flops",
    "dataset": "data",
    "debug": "diagnose",
    "diff": "compare",
    "eval": "validate",
    "evaluate": "validate",
    "explain": "diagnose",
    "fetch": "download",
    "get": "download",
    "inspect": "data",
    "latency": "bench",
    "ls": "list",
    "macs": "flops",
    "models": "list",
    "onnx": "export",
    "openvino": "export",
    "parameters": "flops",
    "params": "flops",
    "perf": "bench",
    "profile": "bench",
    "pull": "download",
    "reproduce": "verify",
    "results": "table",
    "runs": "predictions",
    "sha256": "hash",
    "show": "list",
    "speed": "bench",
    "summary": "flops",
    "test": "validate",
    "throughput": "bench",
    "val": "validate",
}
"""What other programs, and people, call the commands."""


def unknown_command(ctx: click.Context, name: str) -> click.UsageError:
    """The error for a command that the group of ``ctx`` does not have, with what may be meant."""
    known = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    near = nearest_commands(name, known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return click.UsageError(f"No such command {shorten(name)}.{hint}", ctx=ctx)


def nearest_commands(name: str, commands: Iterable[str]) -> list[str]:
    """The commands that an unknown one may mean: a synonym, a beginning, or a few letters wrong."""
    known = list(commands)
    wanted = name.lower().replace("_", "-")
    if wanted in known:
        return [wanted]
    synonyms = {word: command for word, command in SYNONYMS.items() if command in known}
    if wanted in synonyms:
        return [synonyms[wanted]]
    beginning = [command for command in known if command.startswith(wanted)]
    near = beginning or get_close_matches(wanted, known)
    return near or [synonyms[word] for word in get_close_matches(wanted, synonyms, n=1)]


def options_after_command(group: click.Group, ctx: click.Context, args: Sequence[str]) -> str:
    """The command line with the options after the command; empty if that is not what is wrong.

    What stands before the command's name must be options that it has, with their values.
    """
    for position, name in enumerate(args):
        command = group.get_command(ctx, name)
        if position and command and _are_options(command, ctx, args[:position]):
            moved = [name, *args[:position], *args[position + 1 :]]
            return shlex.join(["vanbench", *map(redact, moved)])
    return ""


def _are_options(command: click.Command, ctx: click.Context, args: Sequence[str]) -> bool:
    """Whether a command takes all of these arguments as options and their values."""
    context = click.Context(command, parent=ctx)
    try:
        _, rest, _ = command.make_parser(context).parse_args(list(args))
    except click.UsageError:
        return False
    return not rest
