"""The command line: a group that loads each command when it is needed.

A command's module imports click and nothing heavy at its top; torch, pandas and rich are imported
inside the function that needs them, so that ``--help``, ``list`` and ``table`` answer at once.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from vanbench._version import __version__
from vanbench.cli.completion import COMPLETE, silent_completion
from vanbench.cli.distributed import SHARED_COMMANDS, one_process_prints
from vanbench.cli.failures import ARGUMENTS, asks_for_json, failures_as_messages
from vanbench.cli.hints import options_after_command, unknown_command
from vanbench.cli.output import echo
from vanbench.cli.status_line import erase_status
from vanbench.cli.streams import printable_streams
from vanbench.cli.summaries import SummarizedGroup
from vanbench.data.pillow_warnings import log_pillow_warnings
from vanbench.distributed import processes
from vanbench.errors import SuspiciousWeightsWarning
from vanbench.interrupts import sigterm_interrupts
from vanbench.outside.safe_text import for_terminal

COMMANDS = {
    "list": "list",
    "download": "download",
    "import": "import_",
    "flops": "flops",
    "validate": "validate",
    "verify": "verify",
    "bench": "bench",
    "data": "data",
    "predictions": "predictions",
    "compare": "compare",
    "diagnose": "diagnose",
    "convert": "convert",
    "export": "export",
    "compare-weights": "compare_weights",
    "claims": "claims",
    "compare-models": "compare_models",
    "table": "table",
    "report": "report",
    "audit": "audit",
    "zoo": "zoo",
    "hash": "hash",
}

AS_JSON = "vanbench.json"  # the key in click's context for: the arguments ask for JSON

EXAMPLES = """\b
Examples:
  vanbench list
  vanbench flops van_b6
  vanbench verify --all --data /data/imagenet/val
  vanbench verify --all --zoo demo
"""

EXIT_CODES = """\b
Exit codes:
    0  everything asked for was measured, nothing deviates
    1  something deviates, or a checked file is stale
    2  usage
    3  something asked for could not be measured
   70  an internal error: a bug in vanbench
  130  interrupted

Several models: each is done whatever happens to the others. Then 1 comes before 70, and 70
before 3.
"""


class Commands(SummarizedGroup):
    """A group whose commands are in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = "help" if cmd_name == "help" else COMMANDS.get(cmd_name)
        return import_module(f"vanbench.cli.commands.{module}").command if module else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments; a usage error names the command that was meant."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise unknown_command(ctx, args[0])
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the command; a usage error shows where its options belong."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if line := options_after_command(self, ctx, given):
                text = f"{error.message} Options come after the command: {line}"
                raise click.NoSuchOption(error.option_name, text, ctx=ctx) from None
            raise

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and exit with its code."""
        with printable_streams(), silent_completion():
            return super().main(*args, **{"complete_var": COMPLETE, **kwargs})

    def make_context(
        self, info_name: str | None, args: list[str], *more: Any, **kwargs: Any
    ) -> click.Context:
        """The context of the group, whose own options may print: --help, --version."""
        as_json, given = asks_for_json(args), tuple(args)
        with failures_as_messages(as_json):
            context = super().make_context(info_name, args, *more, **kwargs)
        context.meta[AS_JSON], context.meta[ARGUMENTS] = as_json, given
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a failure prints one message and exits with its code."""
        with (
            failures_as_messages(ctx.meta[AS_JSON]),
            sigterm_interrupts(),
            _warnings_as_sentences(),
            _log_on_stderr(),
            one_process_prints(),
        ):
            return super().invoke(ctx)


class _Lines(logging.Handler):
    """Prints each log record as a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        echo(self.format(record), err=True)


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Print vanbench's own log; with -v also what is only informative (see ``common_options``)."""
    log, handler = logging.getLogger("vanbench"), _Lines()
    before = log.level
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Print vanbench's own warnings as one line; those of libraries are shown as usual.

    A library may quote a file in its warning, so that the text is made safe here.
    """
    show_others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if not processes().is_first:
            return
        if issubclass(category, SuspiciousWeightsWarning):
            echo(f"Warning: {message}", err=True)
        else:
            erase_status()
            show_others(for_terminal(str(message), multiline=True), category, *place)

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]
        log_pillow_warnings()
        yield


@click.command(
    cls=Commands,
    epilog=EXAMPLES + "\n" + EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="vanbench")
def main() -> None:
    """Check every published number of the Visual Attention Network checkpoints.

    Every option can also be set by an environment variable: VANBENCH_DATA for --data,
    VANBENCH_CACHE for --cache, and so on.
    """
    context = click.get_current_context()
    if not processes().is_first and context.invoked_subcommand not in SHARED_COMMANDS:
        context.exit(0)
