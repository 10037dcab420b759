"""How failures end a command: the message on stderr, with --json a document, and the exit code."""

import io
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, metadata

import click
from typing_extensions import TypedDict

from vanbench._version import __version__
from vanbench.cli.distributed import about_rank
from vanbench.cli.output import PRINTED, echo, print_json
from vanbench.cli.streams import broken_streams, discard, is_closed_pipe
from vanbench.errors import (
    ErrorJson,
    InternalError,
    VanbenchError,
    as_vanbench_error,
    error_json,
    overall_exit_code,
)
from vanbench.outside.safe_text import for_terminal

INTERRUPTED = 130
START_AGAIN = "The same command starts from the beginning."  # where nothing else is kept
VERBOSE = "vanbench.verbose"  # the key in click's context for -v
ARGUMENTS = "vanbench.arguments"  # the key in click's context for what follows vanbench


class FailureDocument(TypedDict):
    """What is printed in place of a command's document if the command fails as a whole."""

    models: tuple[()]
    """Always empty: nothing was measured."""
    error: ErrorJson
    """Why the command failed."""


@contextmanager
def failures_as_messages(as_json: bool = False) -> Iterator[None]:
    """Print a message for each failure inside, and raise ``click.exceptions.Exit`` with its code.

    With ``as_json`` a FailureDocument is printed too, unless the command printed its own before.
    Output to a closed pipe is no failure: the code is 0.
    """
    try:
        yield
    except click.exceptions.Exit:
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise click.exceptions.Exit(_report(error, as_json)) from error


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line, or VANBENCH_JSON, asks for JSON, also if click refuses the rest."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    try:
        variable = click.BOOL.convert(os.environ.get("VANBENCH_JSON") or "false", None, None)
    except click.BadParameter:
        variable = False
    return "--json" in options or variable


def exit_for(errors: Mapping[str, VanbenchError], *codes: int) -> None:
    """Print why models failed, and exit with the worst of their codes and ``codes``, if not 0."""
    print_failures(errors)
    code = overall_exit_code([*codes, *(error.exit_code for error in errors.values())])
    if code:
        click.get_current_context().exit(code)


def print_failures(errors: Mapping[str, VanbenchError]) -> None:
    """Print each distinct failure once, with the names of its models, and what a bug means."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, error in errors.items():
        groups.setdefault((error.cause, error.remedy), []).append(name)
    for (cause, remedy), names in groups.items():
        messages = list(dict.fromkeys(message_of(errors[name]) for name in names))
        text = messages[0] if len(messages) == 1 else f"{cause}. {remedy}".rstrip()
        about = ", ".join(for_terminal(name, most=200) for name in names)
        echo(f"Error: {about}: {text}", err=True, multiline=True)
        if _is_verbose():
            for message in messages if len(messages) > 1 else ():
                echo(message, err=True, multiline=True)
    bugs = [error for error in errors.values() if isinstance(error, InternalError)]
    if bugs:
        print_tracebacks(bugs)
        echo(_bug_report(), err=True, multiline=True)


def print_tracebacks(errors: Sequence[Exception]) -> None:
    """Print their tracebacks, with -v."""
    if _is_verbose():
        for error in errors:
            text = "".join(traceback.format_exception(error))
            echo(text.rstrip("\n"), err=True, multiline=True)


def message_of(error: VanbenchError) -> str:
    """The message of an error; its place is one line, whatever characters a path has."""
    if error.where is None:
        return str(error)
    place = for_terminal(str(error.where))
    return str(VanbenchError(error.problem, where=place, remedy=error.remedy))


def _report(error: Exception | KeyboardInterrupt, as_json: bool) -> int:
    """Print the message of a failure, and its document; its exit code."""
    if is_closed_pipe(error):
        discard(broken_streams())
        return 0
    failure, message = _describe(error)
    rank = about_rank(error)
    if rank is None:
        return failure["exit_code"]
    message = f"{rank}{message}"
    try:
        if as_json and not _has_printed():
            document: FailureDocument = {"models": (), "error": failure}
            print_json(**document)
        if isinstance(error, Exception) and not isinstance(error, click.ClickException):
            print_tracebacks([error])
        echo(message, err=True, multiline=True)
    except OSError:  # nobody reads stdout or stderr
        discard(broken_streams())
    return failure["exit_code"]


def _describe(error: Exception | KeyboardInterrupt) -> tuple[ErrorJson, str]:
    """A failure in the form of JSON documents, and its message on stderr."""
    if isinstance(error, click.ClickException):
        text = io.StringIO()
        error.show(text)
        return _usage_json(error), text.getvalue().rstrip("\n")
    if isinstance(error, KeyboardInterrupt | click.Abort):
        failure = _interruption_json(str(error) or START_AGAIN)
        return failure, failure["message"]
    known = as_vanbench_error(error)
    if isinstance(known, InternalError):
        failure = {**error_json(known), "remedy": " ".join(_bug_report().split())}
        return failure, f"{_capitalized(message_of(known))}\n{_bug_report()}"
    return error_json(known), f"Error: {message_of(known)}"


def _usage_json(error: click.ClickException) -> ErrorJson:
    """What click refused, such as an option that does not exist."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return {
        "kind": "usage",
        "problem": error.format_message().removesuffix("."),
        "where": None,
        "remedy": f"Try: {context.command_path} --help" if context else "",
        "message": error.format_message(),
        "exit_code": error.exit_code,
    }


def _interruption_json(kept: str) -> ErrorJson:
    """An interruption; ``kept`` says what is kept and how to go on."""
    return {
        "kind": "interruption",
        "problem": "interrupted",
        "where": None,
        "remedy": kept,
        "message": f"Interrupted. {kept}",
        "exit_code": INTERRUPTED,
    }


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _bug_report() -> str:
    """What an unexpected exception means, where to report it, and what is kept.

    Names the command, not its arguments, which may hold passwords of a mirror.
    """
    how = "the traceback above" if _is_verbose() else "its traceback: run it again with -v"
    return (
        f"This is a bug in vanbench {__version__} (command: {_command()}). Please report it "
        f"in the project's issue tracker{_tracker()}, with {how}.\n"
        "Records and predictions that were already written are kept; the same command resumes."
    )


def _has_printed() -> bool:
    """Whether the command has printed its own document already."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(PRINTED))


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
