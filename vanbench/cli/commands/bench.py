"""``vanbench bench``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from typing_extensions import TypedDict

from vanbench.benchmark.runtime_steps import expected_runtimes_seconds
from vanbench.benchmark.steps import expected_seconds
from vanbench.cli.baselines import about_baselines, print_baselines
from vanbench.cli.bench_tables import about_models, print_details, print_models
from vanbench.cli.failures import exit_for
from vanbench.cli.options import (
    Settings,
    common_options,
    device_option,
    model_arguments,
    option,
    precision_option,
    rewriting_options,
)
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import SHARED, counted, next_command
from vanbench.cli.runtime_tables import about_runtimes, print_runtimes, runtime_failures
from vanbench.errors import VanbenchError
from vanbench.interrupts import keeping
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.progress import MINUTE, Update, duration
from vanbench.report import baseline_records, bench_records, runtime_records
from vanbench.report.baseline_records import BaselineRecord, baseline_json
from vanbench.report.bench_json import (
    BenchModel,
    measured_json,
    not_measured_json,
    runtimes_json,
)
from vanbench.report.bench_records import BenchRecord
from vanbench.report.runtime_records import ALL, RuntimesRecord
from vanbench.runtimes import names
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.benchmark.bench import BenchOptions
    from vanbench.inference.rewrite_config import RewriteConfig

AnyRecord = BenchRecord | BaselineRecord | RuntimesRecord


class Document(TypedDict):
    """The speed of each model that was asked for."""

    models: list[BenchModel]
    """The models, in the order in which they were asked for."""


FEW_SECONDS = 10

EXAMPLES = """\b
Examples:
  vanbench bench van_b0
  vanbench bench --all --seconds 30
  vanbench bench van_b2 --batch-size 64 --precision bf16 --json
  vanbench bench van_b0 --runtime all
  vanbench bench van_b0 van_b2 --runtime openvino --precision bf16
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="The largest batch.  [default: 16 on a CPU, 256 on a GPU]",
)
@device_option
@precision_option
@rewriting_options
@option(
    "--runtime",
    type=click.Choice([*names.NAMES, names.AUTO, ALL]),
    help="Measure this runtime beside the reference, or all that are installed, each in every "
    "precision that it has here.  [default: optimized]",
)
@option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: one per core]")
@option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="For the timed runs of each model; a slow one takes longer.",
)
@option("--details", is_flag=True, help="Print every batch size, all percentiles and the ceiling.")
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    batch_size: int | None,
    device: str,
    precision: str,
    runtime: str | None,
    threads: int | None,
    seconds: float,
    details: bool,
    compile: bool,
    rewrite: "RewriteConfig | None",
) -> None:
    """Measure throughput, latency and peak memory.

    The reference model and the optimised one take turns in one process, and their logits are
    compared. The declared architecture is measured with random weights: speed does not depend on
    them, and no checkpoint is needed. Every sample is kept in the record,
    RESULTS/bench/MODEL.json; another device than the CPU, another precision than fp32, and
    "compile" are part of its name. A model of torchvision is measured as it is, at the size of its
    protocol; its record is in RESULTS/bench/torchvision.

    With --runtime, each runtime has a process of its own, and the processes take turns; start-up
    and memory are those of the new process. "all" has one row for each installed runtime in each
    of its precisions, or only in --precision if that is given; "compiled" is measured only with
    --compile, because it compiles for minutes. "optimized" and "compiled" alone, and "auto", are
    the usual benchmark. Records are in RESULTS/bench/runtimes.
    """
    from vanbench.benchmark.bench import bench_options
    from vanbench.benchmark.runtime_cases import resolve_runtime

    try:
        runtime, compile = resolve_runtime(runtime, compile=compile)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    options = bench_options(
        device, precision, batch_size, seconds, threads, compile=compile, rewrite=rewrite
    )
    expected: Callable[[float], float] = expected_seconds
    measure: Callable[[Settings, Entry, Update], AnyRecord]
    if runtime is not None:
        given = click.get_current_context().get_parameter_source("precision")
        one = runtime != ALL or given != ParameterSource.DEFAULT
        measure = partial(_runtimes, options, runtime, precision if one else None)
        expected = _expected(options, runtime, precision if one else None)
    else:
        measure = partial(_models, options)
    if text := estimate_text(len(entries), seconds, options.device.type, expected):
        settings.say(text)
    written: list[str] = []
    with (
        keeping(lambda: _kept(entries, written, settings)),
        settings.progress("measuring", "%") as update,
    ):

        def measure_and_write(entry: Entry) -> AnyRecord:
            settings.detail(f"measuring {entry.name}")

            def progress(done: int, total: int | None, note: str = "") -> None:
                whole = total or 1
                before = entries.index(entry) * whole
                update(before + done, len(entries) * whole, f"{entry.name}, {note}")

            record = measure(settings, entry, progress)
            written.append(entry.name)
            return record

        measured, errors = for_each(entries, measure_and_write)
    if settings.as_json:
        models = [_json(entry.name, measured, errors) for entry in entries]
        document: Document = {"models": models}
        print_json(**document)
    else:
        _show(entries, measured, settings, details=details)
    tables = [record for record in measured.values() if isinstance(record, RuntimesRecord)]
    exit_for(errors | runtime_failures(tables))


def _expected(
    options: "BenchOptions", runtime: str, precision: str | None
) -> Callable[[float], float]:
    """How many seconds one model takes, by those of its timed runs.

    DependencyError or DeviceError for a runtime that cannot run here.
    """
    from vanbench.benchmark.runtime_cases import cases

    found = cases(runtime, precision, options)
    compiling = sum(case.runtime == names.COMPILED for case in found)
    return lambda seconds: expected_runtimes_seconds(seconds, len(found), compiling)


def _models(
    options: "BenchOptions", settings: Settings, entry: Entry, progress: Update
) -> "BenchRecord | BaselineRecord":
    """Measure the reference and the rewrite, or a model of torchvision, and write the record."""
    from vanbench.benchmark.baseline import bench_baseline
    from vanbench.benchmark.bench import bench

    architecture = entry.architecture
    if isinstance(architecture, TorchvisionArchitecture):
        side = entry.protocol.center_crop
        baseline = bench_baseline(entry.name, architecture, side, options, progress)
        baseline_records.write(settings.results, baseline)
        return baseline
    record = bench(entry.name, architecture, options, settings.detail, progress)
    bench_records.write(settings.results, record)
    return record


def _runtimes(
    options: "BenchOptions",
    runtime: str,
    precision: str | None,
    settings: Settings,
    entry: Entry,
    progress: Update,
) -> RuntimesRecord:
    """Measure a runtime, or all, and write the record."""
    from vanbench.benchmark.runtime_cases import van_of
    from vanbench.benchmark.runtimes import bench_runtimes

    record = bench_runtimes(
        entry.name, van_of(entry), options, runtime, precision, settings.detail, progress
    )
    runtime_records.write(settings.results, record)
    return record


def _json(
    name: str, measured: Mapping[str, AnyRecord], errors: Mapping[str, VanbenchError]
) -> BenchModel:
    record = measured.get(name)
    if isinstance(record, BenchRecord):
        return measured_json(record)
    if isinstance(record, RuntimesRecord):
        return runtimes_json(record)
    return not_measured_json(name, errors[name]) if record is None else baseline_json(record)


def _show(
    entries: tuple[Entry, ...],
    measured: Mapping[str, AnyRecord],
    settings: Settings,
    *,
    details: bool,
) -> None:
    """The tables, what was found, and what to do next."""
    records = {name: r for name, r in measured.items() if isinstance(r, BenchRecord)}
    baselines = [r for r in measured.values() if isinstance(r, BaselineRecord)]
    tables = [r for r in measured.values() if isinstance(r, RuntimesRecord)]
    others = {*(r.name for r in baselines), *(r.name for r in tables)}
    if vans := [entry.name for entry in entries if entry.name not in others]:
        (print_details if details else print_models)(vans, records)
    if baselines:
        print_baselines(baselines)
    for table in tables:
        print_runtimes(table)
    for sentence in (
        *about_models(list(records.values()), settings.results),
        *about_baselines(baselines, settings.results),
        *about_runtimes(tables, settings.results),
    ):
        echo(sentence, wrap=not sentence.startswith("Next: "))


def estimate_text(
    models: int,
    seconds: float,
    device: str,
    expected_of_one: Callable[[float], float] = expected_seconds,
) -> str:
    """About how long a benchmark takes, in one line; empty where that is not worth saying.

    ``expected_of_one`` is how long one model takes, by the seconds of its timed runs.

    >>> estimate_text(8, 60, "cpu")
    '≈ 11 min on this CPU for 8 models; --seconds 10 takes 4 min.'
    """
    expected = models * expected_of_one(seconds)
    if expected <= MINUTE:
        return ""
    where = "CPU" if device == "cpu" else "GPU"
    text = f"≈ {duration(expected)} on this {where} for {counted(models, 'model')}"
    if seconds > FEW_SECONDS:
        quick = duration(models * expected_of_one(FEW_SECONDS))
        text += f"; --seconds {FEW_SECONDS} takes {quick}"
    return f"{text}."


def _kept(entries: tuple[Entry, ...], written: list[str], settings: Settings) -> str:
    """What an interruption leaves, and how to go on."""
    if not written:
        return "No model is recorded yet. The same command starts again."
    left = [entry.name for entry in entries if entry.name not in written]
    return (
        f"{len(written)} of {counted(len(entries), 'model')} are recorded in "
        f"{settings.results / 'bench'}. To measure the others: "
        + next_command("bench", *left, shared=(*SHARED, "runtime", "precision"))
    )
