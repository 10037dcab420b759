"""Progress of long operations, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vanbench.outside.safe_text import for_terminal

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


@contextmanager
def progress(label: str, *, unit: str, quiet: bool) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; yields ``update(done, total, note="")``.

    ``unit`` is ``B`` for bytes, else a word such as ``images``. Nothing shows when ``quiet`` or
    when stderr is no terminal.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        *_columns(unit), console=console, transient=True, disable=quiet or not console.is_terminal
    ) as bar:
        task = bar.add_task(for_terminal(label), total=None, note="", rate="")

        def update(done: int, total: int | None, note: str = "") -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, note=for_terminal(note), rate=rate)

        yield update


def _columns(unit: str) -> "list[ProgressColumn]":
    """The columns of the bar; a label or note is not markup."""
    from rich import progress as p

    amount = (
        [p.DownloadColumn(), p.TransferSpeedColumn()]
        if unit == "B"
        else [p.MofNCompleteColumn(), p.TextColumn("{task.fields[rate]}", markup=False)]
    )
    left = [p.TextColumn("left"), p.TimeRemainingColumn()]
    label = p.TextColumn("{task.description}", markup=False)
    note = p.TextColumn("{task.fields[note]}", markup=False)
    return [label, p.BarColumn(), *amount, *left, note]
