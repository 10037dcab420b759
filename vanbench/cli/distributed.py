"""What is printed when torchrun runs a command in several processes: the first one's output."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import click

from vanbench.distributed import processes
from vanbench.errors import InternalError, VanbenchError, as_vanbench_error

SHARED_COMMANDS = ("validate", "verify")
"""The commands whose work several processes share; the first process runs any other one alone."""


@contextmanager
def one_process_prints() -> Iterator[None]:
    """Print nothing on stdout in another process than the first one."""
    if processes().is_first:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def about_rank(error: Exception | KeyboardInterrupt) -> str | None:
    """What stands before the message of an error: the rank that has it, where it is not the first.

    None: another process prints it too. What a user can cause is the same in all processes of a
    node, so that one of them prints it; a bug may be in one process only.
    """
    here = processes()
    if here.is_first:
        return ""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return None
    known = error if isinstance(error, click.ClickException) else as_vanbench_error(error)
    one_prints = isinstance(known, click.ClickException | VanbenchError)
    if one_prints and not isinstance(known, InternalError) and not here.leads_node:
        return None
    return f"Rank {here.rank}: "
