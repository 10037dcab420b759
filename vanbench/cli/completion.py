"""What the shell completes: models, zoos and stored runs; click completes the rest.

The shell runs vanbench at each TAB. So these functions need no torch, read without a lock, and
return nothing where something is wrong: an error would be printed in the middle of a line.
"""

import glob
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from vanbench.errors import ZooError
from vanbench.outside.files import read_bytes
from vanbench.outside.safe_text import for_terminal
from vanbench.zoo.combined import ALL
from vanbench.zoo.reader import MOST_BYTES, load_zoo, shipped_zoos
from vanbench.zoo.search import normal_name

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]

COMPLETE = "_VANBENCH_COMPLETE"
"""The variable by which click's shell scripts ask for completions, and the user for a script."""

_SAFE = re.compile(r"[\w./+-]+")  # what all shells, and click's scripts for them, take as it is


class _Bash(BashComplete):
    """click's completion for bash, which splits ``--zoo=demo`` into three words."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        return [arg for arg in args if arg != "="], incomplete


class _OneWord(ShellComplete):
    """For shells in which ``--zoo=demo`` is one word, which a completion replaces as a whole."""

    def get_completions(self, args: list[str], incomplete: str) -> Items:
        items = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in items:
                item.value = f"{option}={item.value}" if item.type == "plain" else item.value
        return items


class _Zsh(_OneWord, ZshComplete):
    """click's completion for zsh."""


class _Fish(_OneWord, FishComplete):
    """click's completion for fish."""


@contextmanager
def silent_completion() -> Iterator[None]:
    """Nothing on stderr, and no traceback, where a shell asks for completions."""
    if not os.environ.get(COMPLETE, "").endswith("_complete"):
        yield
        return
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)
    with open(os.devnull, "w", encoding="utf-8") as null, redirect_stderr(null):
        try:
            yield
        except (Exception, KeyboardInterrupt):
            sys.exit(1)


def _or_nothing(complete: Complete) -> Complete:
    """The function; no items where it fails."""

    @wraps(complete)
    def quiet(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
        with suppress(Exception):
            return complete(context, parameter, incomplete)
        return []

    return quiet


@_or_nothing
def complete_models(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The models of the zoo that are not given yet; aliases where only they begin like this."""
    given = context.params.get("model") or ()
    entries = [e for e in load_zoo(_value(context, "zoo")).entries if e.name not in given]
    named = _beginning((entry.name for entry in entries), incomplete)
    aliases = _beginning((alias for entry in entries for alias in entry.aliases), incomplete)
    return [CompletionItem(name) for name in named or aliases]


@_or_nothing
def complete_zoos(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """The shipped zoos and zoo files that begin like this; else any file."""
    names = [name for name in (*shipped_zoos(), ALL) if name.startswith(incomplete)]
    files = sorted(glob.glob(f"{glob.escape(incomplete)}*.toml"))
    items = [CompletionItem(name, help="shipped with vanbench") for name in names]
    items += [CompletionItem(name) for name in files if _SAFE.fullmatch(name) and _is_zoo(name)]
    return items or [_file(incomplete)]


@_or_nothing
def complete_runs(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The numbers of the stored runs, newest first, and their models; else any file."""
    from vanbench.prediction_store.run_names import run_names
    from vanbench.prediction_store.store import FILE

    runs = run_names(Path(_value(context, "results"), FILE))
    items = [
        CompletionItem(str(run.id), help=for_terminal(f"{run.model} of {run.started}", most=100))
        for run in runs
    ]
    models = dict.fromkeys(run.model for run in runs if _SAFE.fullmatch(run.model))
    items += [CompletionItem(model, help="its last run") for model in models]
    return [item for item in items if item.value.startswith(incomplete)] or [_file(incomplete)]


@_or_nothing
def complete_commands(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The names of the commands."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    names = root.command.list_commands(root)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _is_zoo(file: str) -> bool:
    """Whether a TOML file is likely to be a zoo; one with a mistake is, too."""
    with suppress(ZooError):
        return b"[models." in read_bytes(file, most=MOST_BYTES, error=ZooError)
    return False


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if normal_name(name).startswith(normal_name(incomplete))]


def _file(incomplete: str) -> CompletionItem:
    """Lets the shell complete names of files."""
    return CompletionItem(incomplete, type="file")


def _value(context: click.Context, name: str) -> Any:
    """The value of an option: given, else from the environment, which click does not read here."""
    if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
        for parameter in context.command.params:
            if parameter.name == name and (text := parameter.resolve_envvar_value(context)):
                return os.path.expanduser(text)
    return os.path.expanduser(context.params[name])
