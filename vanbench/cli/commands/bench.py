"""``vanbench bench``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import TypedDict

from vanbench.benchmark.steps import expected_seconds
from vanbench.cli.baselines import about_baselines, print_baselines
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
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.interrupts import keeping
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.progress import MINUTE, duration
from vanbench.report.baseline_records import baseline_json
from vanbench.report.bench_records import BenchModel, measured_json, not_measured_json
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.report.baseline_records import BaselineRecord
    from vanbench.report.bench_records import BenchRecord


class Document(TypedDict):
    """The speed of each model that was asked for."""

    models: list[BenchModel]
    """The models, in the order in which they were asked for."""


BUSY = 0.1  # the share of the cores that other processes may use
FEW_SECONDS = 10

EXAMPLES = """\b
Examples:
  vanbench bench van_b0
  vanbench bench --all --seconds 30
  vanbench bench van_b2 --batch-size 64 --precision bf16 --json
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
    threads: int | None,
    seconds: float,
    details: bool,
    **rewriting: Any,
) -> None:
    """Measure throughput, latency and peak memory.

    The reference model and the optimised one take turns in one process, and their logits are
    compared. The declared architecture is measured with random weights: speed does not depend on
    them, and no checkpoint is needed. Every sample is kept in the record,
    RESULTS/bench/MODEL.json; another device than the CPU, another precision than fp32, and
    "compile" are part of its name. A model of torchvision is measured as it is, at the size of its
    protocol; its record is in RESULTS/bench/torchvision.
    """
    from vanbench.benchmark.baseline import bench_baseline
    from vanbench.benchmark.bench import bench, bench_options
    from vanbench.report import baseline_records, bench_records

    options = bench_options(device, precision, batch_size, seconds, threads, **rewriting)
    if text := estimate_text(len(entries), seconds, options.device.type):
        settings.say(text)
    written: list[str] = []
    with (
        keeping(lambda: _kept(entries, written, settings)),
        settings.progress("measuring", "%") as update,
    ):

        def measure(entry: Entry) -> "BenchRecord | BaselineRecord":
            settings.detail(f"measuring {entry.name}")

            def progress(done: int, total: int | None, note: str = "") -> None:
                whole = total or 1
                before = entries.index(entry) * whole
                update(before + done, len(entries) * whole, f"{entry.name}, {note}")

            architecture = entry.architecture
            if isinstance(architecture, TorchvisionArchitecture):
                side = entry.protocol.center_crop
                baseline = bench_baseline(entry.name, architecture, side, options, progress)
                baseline_records.write(settings.results, baseline)
                written.append(entry.name)
                return baseline
            record = bench(entry.name, architecture, options, settings.detail, progress)
            bench_records.write(settings.results, record)
            written.append(entry.name)
            return record

        measured, errors = for_each(entries, measure)
    records = {
        name: record
        for name, record in measured.items()
        if isinstance(record, bench_records.BenchRecord)
    }
    baselines = {
        name: record
        for name, record in measured.items()
        if isinstance(record, baseline_records.BaselineRecord)
    }
    if settings.as_json:
        document: Document = {
            "models": [
                measured_json(records[entry.name])
                if entry.name in records
                else baseline_json(baselines[entry.name])
                if entry.name in baselines
                else not_measured_json(entry.name, errors[entry.name])
                for entry in entries
            ]
        }
        print_json(**document)
    else:
        vans = tuple(entry for entry in entries if entry.name not in baselines)
        if vans:
            (_print_details if details else _print)(vans, records)
        if baselines:
            print_baselines(list(baselines.values()))
        for sentence in _answer(list(records.values()), settings):
            echo(sentence, wrap=not sentence.startswith("Next: "))
        for sentence in about_baselines(list(baselines.values()), settings.results):
            echo(sentence, wrap=not sentence.startswith("Next: "))
    exit_for(errors)


def estimate_text(models: int, seconds: float, device: str) -> str:
    """About how long a benchmark takes, in one line; empty where that is not worth saying.

    >>> estimate_text(8, 60, "cpu")
    '≈ 11 min on this CPU for 8 models; --seconds 10 takes 4 min.'
    """
    expected = models * expected_seconds(seconds)
    if expected <= MINUTE:
        return ""
    where = "CPU" if device == "cpu" else "GPU"
    text = f"≈ {duration(expected)} on this {where} for {counted(models, 'model')}"
    if seconds > FEW_SECONDS:
        quick = duration(models * expected_seconds(FEW_SECONDS))
        text += f"; --seconds {FEW_SECONDS} takes {quick}"
    return f"{text}."


def _kept(entries: tuple[Entry, ...], written: list[str], settings: Settings) -> str:
    """What an interruption leaves, and how to go on."""
    if not written:
        return "No model is recorded yet. The same command starts again."
    left = [entry.name for entry in entries if entry.name not in written]
    return (
        f"{len(written)} of {counted(len(entries), 'model')} are recorded in "
        f"{settings.results / 'bench'}. To measure the others: {next_command('bench', *left)}"
    )


def _print(entries: tuple[Entry, ...], records: dict[str, "BenchRecord"]) -> None:
    """A row for each model: one image at a time, the largest batch, and memory."""
    largest = max((record.batch_size for record in records.values()), default=0)
    columns: list[str | Column] = [
        Column("model", fit=MIDDLE),
        ">batch 1 images/s",
        Column(">batch 1 speed-up", drop=2),
        Column(">p50 ms", drop=1),
        f">batch {largest} images/s",
        f">batch {largest} speed-up",
        Column(">memory MiB", drop=3),
    ]
    print_table(columns, [_row(entry.name, records.get(entry.name)) for entry in entries])


def _row(name: str, record: "BenchRecord | None") -> list[str]:
    if record is None:
        return [name, NOT_MEASURED, "", "", "", "", ""]
    one, many = record.at(1), record.at(record.batch_size)
    return [
        name,
        f"{one.optimized:.1f}",
        f"{one.speedup:.2f}",
        f"{record.optimized.latency_ms.p50:.1f}",
        f"{many.optimized:.1f}",
        f"{many.speedup:.2f}",
        _mebibytes(record.optimized.peak_memory),
    ]


def _answer(records: "list[BenchRecord]", settings: Settings) -> Iterator[str]:
    """What was found, what makes it doubtful, and what to do next."""
    if not records:
        return
    speedups = [record.speedup for record in records]
    low, high = f"{min(speedups):.1f}", f"{max(speedups):.1f}"
    times = low if low == high else f"{low} to {high}"
    where = "CPU" if records[0].device == "cpu" else "GPU"
    yield (
        f"The optimized model is {times} times as fast as the reference at batch "
        f"{records[0].batch_size} on this {where}; records in {settings.results / 'bench'}."
    )
    if different := [record.name for record in records if not record.same_top5]:
        yield f"Its five best classes differ from the reference's: {', '.join(different)}."
    busy = [record.load.other_cores or 0.0 for record in records]
    if max(busy) > BUSY * records[0].load.cores:
        yield f"Other processes used up to {max(busy):.1f} cores meanwhile: run it again."
    yield f"Next: {next_command('report')}"


def _print_details(entries: tuple[Entry, ...], records: dict[str, "BenchRecord"]) -> None:
    columns: list[str | Column] = [
        Column("model", fit=MIDDLE),
        ">batch",
        Column(">reference/s", drop=1),
        ">optimized/s",
        ">speed-up",
        Column(">of ceiling", drop=2),
        ">p50 ms",
        Column(">p95", drop=5),
        Column(">p99", drop=4),
        Column(">reference MiB", drop=6),
        Column(">optimized MiB", drop=3),
    ]
    missing = [""] * (len(columns) - 3)
    rows = [
        row
        for entry in entries
        for row in (
            _rows(records[entry.name])
            if entry.name in records
            else [[entry.name, "", NOT_MEASURED, *missing]]
        )
    ]
    print_table(columns, rows)
    for record in records.values():
        echo(_remark(record))


def _rows(record: "BenchRecord") -> list[list[str]]:
    """One row per batch size. Latency is in the row of batch 1, memory in that of the largest."""
    rows = []
    for line in record.batch_sizes:
        batch = line.batch_size
        row = [record.name, str(batch), f"{line.reference:.2f}", f"{line.optimized:.2f}"]
        row += [f"{line.speedup:.2f}", "–", "–", "–", "–", "–", "–"]
        if batch == 1:
            latency = record.optimized.latency_ms
            row[6:9] = [f"{ms:.1f}" for ms in (latency.p50, latency.p95, latency.p99)]
        if batch == record.batch_size:
            row[5] = f"{record.ceiling.fraction:.2f}"
            peaks = (record.reference.peak_memory, record.optimized.peak_memory)
            row[9:] = [_mebibytes(peak) for peak in peaks]
        rows.append(row)
    return rows


def _remark(record: "BenchRecord") -> str:
    ceiling, other = record.ceiling, record.load.other_cores
    text = (
        f"{record.name}: largest relative error {record.max_relative_error:.1e}, "
        f"{'the same' if record.same_top5 else 'different'} Top-5; "
        f"point-wise convolutions reach {ceiling.pointwise_gmacs_per_s:.0f} GMAC/s here, "
        f"which would be {ceiling.images_per_s:.1f} images/s, "
        f"{ceiling.images_per_s / record.reference.images_per_s:.2f} of the reference"
    )
    if other is not None:
        text += f"; other processes used {other:.1f} cores"
    return text + "."


def _mebibytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 2**20:.0f}"
