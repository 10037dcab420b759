"""Options that several commands share, as decorators, so that they mean the same everywhere."""

import functools
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from vanbench.checkpoints.weights import WEIGHTS
from vanbench.cli.completion import complete_models, complete_runs, complete_zoos
from vanbench.cli.failures import ARGUMENTS, VERBOSE
from vanbench.cli.model_names import select
from vanbench.cli.output import echo
from vanbench.cli.progress_display import progress
from vanbench.devices import INT8, PRECISIONS
from vanbench.distributed import join_team, processes
from vanbench.evaluation.plan import ON_ERROR, RunOptions, default_trials
from vanbench.progress import Update
from vanbench.runtimes import names
from vanbench.zoo.combined import ALL
from vanbench.zoo.entries import Zoo
from vanbench.zoo.reader import load_zoo

if TYPE_CHECKING:
    from vanbench.inference.rewrite_config import RewriteConfig

WITH_ALL_ZOOS = ("list", "download", "import", "flops", "validate", "verify", "diagnose",
                  "hash", "claims")  # fmt: skip
"""The commands that work on the models of several zoos; the others have one document or record."""

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def option(*names: str, **kwargs: Any) -> Decorator:
    """``click.option`` that can also be set by ``VANBENCH_<LONG NAME>``."""
    long = next(name for name in names if name.startswith("--"))
    variable = "VANBENCH_" + long.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **kwargs)


def decorated(function: Function, *decorators: Decorator) -> Function:
    """The function with these decorators; --help lists the options of the last one first."""
    for decorator in decorators:
        function = decorator(function)
    return function


@dataclass(frozen=True)
class Settings:
    """The values of the common options."""

    zoo_name: str
    cache: Path
    results: Path
    as_json: bool
    quiet: bool
    verbose: bool

    @functools.cached_property
    def zoo(self) -> Zoo:
        """The zoo; ZooError if its file cannot be used, UsageError where it may not be ``all``."""
        command = click.get_current_context().info_name
        if self.zoo_name == ALL and command not in WITH_ALL_ZOOS:
            known = ", ".join(WITH_ALL_ZOOS)
            raise click.BadParameter(f"{ALL!r} is for {known}. Name one zoo.", param_hint="--zoo")
        return load_zoo(self.zoo_name)

    def with_zoo(self, name: str) -> "Settings":
        """The same settings with another zoo."""
        return replace(self, zoo_name=name)

    def say(self, message: str, *, multiline: bool = False) -> None:
        """Print a message on stderr, unless -q."""
        if not self.quiet:
            echo(message, err=True, multiline=multiline)

    def progress(self, label: str, unit: str) -> AbstractContextManager[Update]:
        """A progress bar on stderr, unless -q."""
        return progress(label, unit=unit, quiet=self.quiet)

    def detail(self, message: str) -> None:
        """Print a line on stderr, with -v."""
        if self.verbose:
            echo(message, err=True)


def common_options(function: Function) -> Function:
    """The options that every command has; the command receives them as ``settings``."""

    @functools.wraps(function)
    def wrapper(
        zoo: str, cache: Path | None, results: Path, as_json: bool, quiet: bool, verbose: bool,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        from vanbench.download.cache import default_cache

        click.get_current_context().meta[VERBOSE] = verbose
        logging.getLogger("vanbench").setLevel(logging.INFO if verbose else logging.WARNING)
        quiet = quiet or not processes().is_first
        settings = Settings(zoo, cache or default_cache(), results, as_json, quiet, verbose)
        return function(settings=settings, **kwargs)

    return decorated(
        wrapper,
        option("-v", "--verbose", is_flag=True, help="Print details, and tracebacks of errors."),
        option(
            "-q", "--quiet", is_flag=True, help="Print no progress, and no messages but errors."
        ),
        option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout."),
        option(
            "--results",
            type=click.Path(file_okay=False, path_type=Path),
            default="results",
            show_default=True,
            help="Folder of the records.",
        ),
        option(
            "--cache",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder of the checkpoint files.  [default: the one of torch.hub]",
        ),
        option(
            "--zoo",
            default="openmmlab",
            show_default=True,
            metavar="FILE|NAME",
            shell_complete=complete_zoos,
            help="Model zoo: a shipped one (openmmlab, authors, demo, …), a TOML file, or all.",
        ),
    )


def model_argument(**kwargs: Any) -> Decorator:
    """The argument ``MODEL``, the name of a model as it was typed."""
    return click.argument("model", shell_complete=complete_models, **kwargs)


def run_argument(name: str, **kwargs: Any) -> Decorator:
    """An argument that is a stored run: its number, or its model's name."""
    return click.argument(name, shell_complete=complete_runs, **kwargs)


def model_arguments(function: Function) -> Function:
    """``[MODEL]…`` or ``--all``; the command receives the zoo entries as ``entries``."""

    @functools.wraps(function)
    def wrapper(settings: Settings, model: tuple[str, ...], all_: bool, **kwargs: Any) -> Any:
        return function(settings=settings, entries=select(settings.zoo, model, all_), **kwargs)

    return decorated(
        wrapper,
        option("--all", "all_", is_flag=True, help="Every model of the zoo."),
        model_argument(nargs=-1),
    )


def source_options(function: Function) -> Function:
    """``--mirror`` and ``--offline``; the command receives ``mirrors`` and ``offline``."""
    return decorated(
        function,
        option("--offline", is_flag=True, help="Use no network, only the cache and folders."),
        option(
            "--mirror",
            "mirrors",
            multiple=True,
            metavar="URL",
            help="Base URL or folder with files of the same names, tried first; repeatable.",
        ),
    )


def rewriting_options(function: Function) -> Function:
    """How the exact rewrite runs; the command receives ``compile`` and ``rewrite``."""

    @functools.wraps(function)
    def wrapper(choices: str | None, **kwargs: Any) -> Any:
        return function(rewrite=_rewrite_config(choices), **kwargs)

    return decorated(
        wrapper,
        option("--compile", is_flag=True, help="The same as --runtime compiled."),
        option(
            "--choices",
            metavar="JSON",
            help="Variants of the rewrite, as in a record.  [default: a short trial decides]",
        ),
    )


def runtime_options(function: Function) -> Function:
    """What computes the models; the command receives ``runtime`` and ``rewrite``."""

    @functools.wraps(function)
    def wrapper(
        runtime: str | None, reference: bool, compile: bool, choices: str | None, **kwargs: Any
    ) -> Any:
        asked = {"--runtime": runtime} if runtime else {}
        asked |= {"--reference": names.REFERENCE} if reference else {}
        asked |= {"--compile": names.COMPILED} if compile else {}
        if len(set(asked.values())) > 1:
            raise click.UsageError(
                f"{' and '.join(asked)} name different runtimes. Give one of them."
            )
        rewrite = _rewrite_config(choices)
        if rewrite and asked and not {*asked.values()} & {names.OPTIMIZED, names.COMPILED}:
            raise click.UsageError(
                f"--choices is for the rewrite; {next(iter(asked))} names another runtime."
            )
        usual = names.OPTIMIZED if rewrite else names.AUTO
        return function(runtime=next(iter(asked.values()), usual), rewrite=rewrite, **kwargs)

    return decorated(
        wrapper,
        option("--reference", is_flag=True, help="The same as --runtime reference."),
        option("--compile", is_flag=True, help="The same as --runtime compiled."),
        option(
            "--choices",
            metavar="JSON",
            help="Variants of the rewrite, as in a record.  [default: a short trial decides]",
        ),
        option(
            "--runtime",
            type=click.Choice((names.AUTO, *names.NAMES)),
            help="What computes: the plain model, its exact rewrite, that one compiled (takes "
            "minutes), ONNX Runtime or OpenVINO.  [default: auto, the fastest of those installed "
            "that agrees with the plain model]",
        ),
    )


def _rewrite_config(text: str | None) -> "RewriteConfig | None":
    """The config that ``--choices`` gives; a usage error if it is not one."""
    if text is None:
        return None
    from vanbench.inference.rewrite_config import RewriteConfig

    try:
        return RewriteConfig.from_json(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--choices") from error


def device_option(function: Function) -> Function:
    """``--device``."""
    return option(
        "--device",
        default="auto",
        show_default=True,
        help="cpu, cuda, cuda:1, mps, or auto: a CUDA GPU if there is one, else the CPU.",
    )(function)


def precision_option(function: Function) -> Function:
    """``--precision``."""
    return option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="fp32",
        show_default=True,
        help="Arithmetic; only fp32 (without TF32) counts as reproduction.",
    )(function)


def arithmetic_options(function: Function) -> Function:
    """``--precision`` and ``--calibration``, which the command receives in its RunOptions."""

    @functools.wraps(function)
    def wrapper(
        options: RunOptions, precision: str, calibration: Path | None, **kwargs: Any
    ) -> Any:
        source = click.get_current_context().get_parameter_source("calibration")
        if precision != INT8 and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--calibration is for --precision {INT8} only.")
        asked = replace(options, precision=precision, calibration=calibration)
        return function(options=asked, **kwargs)

    return decorated(
        wrapper,
        option(
            "--calibration",
            type=click.Path(exists=True, path_type=Path),
            metavar="PATH",
            help="Folder or tar with the images that int8 is calibrated on; labels do not matter, "
            "and images of the validation set are left out.  [default: 128 of the validation set "
            "itself]",
        ),
        precision_option,
    )


def decoding_options(function: Function) -> Function:
    """How images are decoded and batched, and what happens if one cannot be read."""
    return decorated(
        function,
        option(
            "--on-error",
            type=click.Choice(ON_ERROR),
            default=ON_ERROR[0],
            show_default=True,
            help="If an image cannot be read: stop the run, or count the image as wrong.",
        ),
        device_option,
        option(
            "--workers",
            type=click.IntRange(min=0),
            help="Decoding processes.  [default: one per core, or half as many with --device cpu]",
        ),
        option(
            "--batch-size",
            type=click.IntRange(min=1),
            help="Images per batch.  [default: 256 on CUDA, 64 on mps, 32 on a CPU]",
        ),
    )


def run_options(function: Function) -> Function:
    """How a validation runs; the command receives RunOptions as ``options``."""

    @functools.wraps(function)
    def wrapper(settings: Settings, **kwargs: Any) -> Any:
        from vanbench.prediction_store.store import FILE

        given = (
            "device",
            "batch_size",
            "workers",
            "limit",
            "on_error",
            "fresh",
            "weights",
            "cache_images",
        )
        options = RunOptions(
            team=join_team(),
            arguments=click.get_current_context().meta.get(ARGUMENTS, ()),
            **{name: kwargs.pop(name) for name in (*given, "runtime", "rewrite")},
            store=settings.results / FILE,
            trials=default_trials(),
            on_message=settings.detail,
            on_note=settings.say,
        )
        return function(settings=settings, options=options, **kwargs)

    return decorated(
        wrapper,
        option(
            "--fresh",
            is_flag=True,
            help="Compute every prediction again, also those that are stored.",
        ),
        option(
            "--weights",
            type=click.Choice(WEIGHTS),
            help="Plain or averaged (EMA) weights of a training checkpoint.  [default: those that "
            "its framework loads for inference]",
        ),
        runtime_options,
        option(
            "--cache-images",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder in which decoded images are kept, 7.5 GB for 50,000; later runs read them "
            "from there.  [default: keep none]",
        ),
        decoding_options,
        option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help="Only N images, spread evenly over the set; the result is partial.",
        ),
    )


def data_option(**kwargs: Any) -> Decorator:
    """``--data PATH``."""
    return option(
        "--data",
        type=click.Path(exists=True, path_type=Path),
        metavar="PATH",
        help="Validation set: class folders, a flat folder with a list, tar, Parquet, WebDataset.",
        **kwargs,
    )
