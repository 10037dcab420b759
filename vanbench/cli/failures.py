"""How a failure ends a command: what is printed on stderr, and the exit code."""

import errno
import io
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, metadata

import click

from vanbench._version import __version__
from vanbench.cli.streams import broken_streams, discard, is_closed_pipe
from vanbench.errors import VanbenchError

INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130
VERBOSE = "vanbench.verbose"  # the key in click's context for -v

REMEDIES = {
    errno.ENOSPC: "Free disk space, or choose another folder.",
    errno.EACCES: "Check the permissions of the file and of its folder.",
    errno.EPERM: "Check the permissions of the file and of its folder.",
    errno.EROFS: "Choose a folder that can be written.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or use fewer --workers.",
}
"""What to do about errors of the operating system that no other module handles."""


@contextmanager
def failures_as_messages() -> Iterator[None]:
    """Print a message for each failure inside, and raise ``click.exceptions.Exit`` with its code.

    Output to a closed pipe is no failure: the code is 0.
    """
    try:
        yield
    except click.exceptions.Exit:
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise click.exceptions.Exit(_report(error)) from error


def _report(error: Exception | KeyboardInterrupt) -> int:
    """Print the message of a failure; its exit code."""
    if is_closed_pipe(error):
        discard(broken_streams())
        return 0
    code, message = _describe(error)
    try:
        if _is_verbose() and not isinstance(error, click.ClickException):
            message = "".join(traceback.format_exception(error)) + message
        click.echo(message, err=True)
    except OSError:  # nobody reads stderr
        discard(broken_streams())
    return code


def _describe(error: Exception | KeyboardInterrupt) -> tuple[int, str]:
    """The exit code of a failure, and its message."""
    if isinstance(error, click.ClickException):
        text = io.StringIO()
        error.show(text)
        return error.exit_code, text.getvalue().rstrip("\n")
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, "Interrupted."
    expected = _expected(error)
    if expected is not None:
        return expected.exit_code, f"Error: {expected}"
    return INTERNAL_ERROR, _internal_error(error)


def _expected(error: Exception) -> VanbenchError | None:
    """The exception as an expected error; None if it is a bug."""
    if isinstance(error, VanbenchError):
        return error
    if _is_out_of_memory(error):
        return VanbenchError(
            f"Not enough memory ({_first_line(error)})",
            remedy="Close other programs, or use a smaller --batch-size and fewer --workers.",
        )
    if isinstance(error, OSError):
        problem = error.strerror or _first_line(error)
        return VanbenchError(
            problem, where=error.filename, remedy=REMEDIES.get(error.errno or 0, "")
        )
    return None


def _is_out_of_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # only a program that has imported it can raise its errors
    return isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )


def _internal_error(error: Exception) -> str:
    """What an unexpected exception means, where to report it, and what is kept.

    Names the command, not its arguments, which may hold passwords of a mirror.
    """
    how = "the traceback above" if _is_verbose() else "its traceback: run it again with -v"
    return (
        f"Internal error: {_first_line(error)}\n"
        f"This is a bug in vanbench {__version__} (command: {_command()}). Please report it "
        f"in the project's issue tracker{_tracker()}, with {how}.\n"
        "Records and predictions that were already written are kept; the same command resumes."
    )


def _first_line(error: Exception) -> str:
    name, text = type(error).__name__, str(error).strip()
    return f"{name}: {text.splitlines()[0]}" if text else name


def _is_verbose() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(VERBOSE))


def _command() -> str:
    context = click.get_current_context(silent=True)
    name = None if context is None else context.find_root().invoked_subcommand
    return f"vanbench {name}" if name else "vanbench"


def _tracker() -> str:
    """The address of the issue tracker in parentheses, if the package's metadata has one."""
    try:
        links = metadata("vanbench").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    for label, _, address in (link.partition(",") for link in links):
        if any(word in label.lower() for word in ("issue", "bug", "tracker")):
            return f" ({address.strip()})"
    return ""
