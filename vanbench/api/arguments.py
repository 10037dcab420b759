"""The arguments that several functions share, and what is raised where one is wrong."""

from collections.abc import Collection, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from vanbench.checkpoints.weights import WEIGHTS
from vanbench.devices import INT8, PRECISIONS
from vanbench.download.cache import default_cache
from vanbench.download.obtain import Sources
from vanbench.errors import DataError
from vanbench.evaluation.plan import ON_ERROR, RunOptions, default_trials
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.outside.safe_text import shorten
from vanbench.prediction_store.store import FILE
from vanbench.runtimes.names import AUTO, COMPILED, NAMES, OPTIMIZED, REFERENCE
from vanbench.zoo.entries import Entry, Zoo
from vanbench.zoo.reader import load_zoo

ALL = "all"

AnyPath = str | PathLike[str]
Models = str | Iterable[str]
"""A model's name, a pattern of names, several of them, or ``"all"``."""


def open_zoo(zoo: AnyPath) -> Zoo:
    """The zoo of a shipped name or a TOML file; ZooError if there is none."""
    return load_zoo(fspath(zoo))


def selected(zoo: Zoo, models: Models) -> tuple[Entry, ...]:
    """The entries of these names, each once; UnknownModelError for a name that the zoo lacks."""
    names = [models] if isinstance(models, str) else list(models)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"expected the names of models, found {shorten(wrong[0])}")
    if not names:
        raise ValueError(f'expected at least one model, or "{ALL}" for every model of the zoo')
    if names == [ALL]:
        return zoo.entries
    return tuple({entry.name: entry for name in names for entry in zoo.matching(name)}.values())


def sources(cache: AnyPath | None, mirrors: str | Iterable[str], offline: bool) -> Sources:
    """Where files come from; the default cache is the one of torch.hub."""
    bases = (mirrors,) if isinstance(mirrors, str) else tuple(mirrors)
    return Sources(default_cache() if cache is None else Path(cache), bases, offline)


def check_choice(name: str, value: str | None, choices: Collection[str | None]) -> None:
    """ValueError if an argument is not one of these."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}: expected one of {known}, found {shorten(value)}")


def check_number(name: str, value: float | None, least: float, most: float | None = None) -> None:
    """ValueError if a number is given and is too small or too large."""
    if value is not None and not (least <= value and (most is None or value <= most)):
        limits = f"from {least:,}" + ("" if most is None else f" to {most:,}")
        raise ValueError(f"{name}: expected a number {limits}, found {shorten(value)}")


def chosen_runtime(
    runtime: str | None, rewrite: RewriteConfig | None, *, reference: bool, compile: bool
) -> str:
    """The one runtime that these arguments name; ValueError if they name several."""
    check_choice("runtime", runtime, (None, AUTO, *NAMES))
    asked = [runtime] if runtime else []
    asked += [REFERENCE] * reference + [COMPILED] * compile
    if len(set(asked)) > 1:
        raise ValueError(f"expected one runtime, found {' and '.join(map(repr, asked))}")
    return next(iter(asked), OPTIMIZED if rewrite else AUTO)


def run_options(results: AnyPath, **given: Any) -> RunOptions:
    """How a validation runs, with the predictions stored under ``results``; ValueError if wrong."""
    check_choice("precision", given["precision"], PRECISIONS)
    check_number("batch_size", given["batch_size"], 1)
    check_number("workers", given["workers"], 0)
    check_number("limit", given["limit"], 1)
    check_choice("on_error", given["on_error"], ON_ERROR)
    check_choice("weights", given["weights"], (None, *WEIGHTS))
    if given["calibration"] is not None and given["precision"] != INT8:
        raise ValueError(f"calibration: it is for precision {INT8!r} only")
    for name in ("cache_images", "calibration"):
        if given[name] is not None:
            given[name] = Path(given[name])
    return RunOptions(**given, store=Path(results) / FILE, trials=default_trials())


def data_set(zoo: Zoo, data: AnyPath | None) -> Path | None:
    """The validation set: the given one, which must exist, else the one beside the zoo, if any."""
    if data is None:
        return zoo.data
    if not Path(data).exists():
        raise DataError("there is no such file or folder", where=Path(data))
    return Path(data)
