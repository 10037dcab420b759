"""What ``vanbench bench --runtime`` prints: a table for each model, and what it comes to."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vanbench.cli.baselines import BUSY
from vanbench.cli.output import echo, print_table
from vanbench.cli.phrases import next_command
from vanbench.cli.tables import Column
from vanbench.errors import VanbenchError
from vanbench.report.records import FP32
from vanbench.report.runtime_records import (
    FAILED,
    FOLDER,
    LEFT_OUT,
    NOT_INSTALLED,
    RuntimeRow,
    RuntimesRecord,
)


def print_runtimes(record: RuntimesRecord) -> None:
    """A row for each runtime and precision, and why some have no figures."""
    columns: list[str | Column] = [
        "runtime",
        "precision",
        f">batch {record.batch_size} images/s",
        ">speed-up",
        ">batch 1 p50 ms",
        Column(">p95", drop=4),
        Column(">p99", drop=5),
        Column(">memory MiB", drop=2),
        Column(">start-up s", drop=1),
        Column(">load", drop=8),
        Column(">prepare", drop=7),
        Column(">first batch", drop=6),
        Column(">error", drop=3),
        Column("Top-5", drop=3),
    ]
    print_table(columns, [_cells(row) for row in record.rows], title=record.name)
    for row in record.rows:
        if row.status in (NOT_INSTALLED, LEFT_OUT):
            echo(f"{row.label} is {row.status}: {row.reason}")


def _cells(row: RuntimeRow) -> list[str]:
    about = [row.runtime, row.precision or ""]
    if row.figures is None:
        return [*about, row.status, *[""] * 11]
    found = row.figures
    start, latency = found.start_up, found.latency_ms
    return [
        *about,
        f"{found.images_per_s:.1f}",
        f"{found.speedup:.2f}",
        *(f"{ms:.1f}" for ms in (latency.p50, latency.p95, latency.p99)),
        "–" if found.peak_memory is None else f"{found.peak_memory / 2**20:.0f}",
        f"{start.total_s:.1f}",
        *(f"{seconds:.1f}" for seconds in (start.load_s, start.prepare_s, start.first_batch_s)),
        "" if _is_reference(row) else f"{found.max_relative_error:.0e}",
        "" if _is_reference(row) else "same" if found.same_top5 else "differs",
    ]


def _is_reference(row: RuntimeRow) -> bool:
    return (row.runtime, row.precision) == ("reference", FP32)


def runtime_failures(records: Sequence[RuntimesRecord]) -> dict[str, VanbenchError]:
    """The runtimes that failed, as errors by model, runtime and precision."""
    return {
        f"{record.name}, {row.label}": VanbenchError((row.reason or FAILED).rstrip("."))
        for record in records
        for row in record.rows
        if row.status == FAILED
    }


def about_runtimes(records: Sequence[RuntimesRecord], results: Path) -> Iterator[str]:
    """What was found, what makes it doubtful, and what to do next."""
    for record in records:
        yield from _fastest(record)
    if not records:
        return
    yield (
        "Speed-up, error and Top-5 are those beside the reference in fp32, for random weights and "
        "images. Start-up is the time of a new process to the logits of its first batch. Records "
        f"in {results / 'bench' / FOLDER}."
    )
    busy = max(record.load.other_cores or 0.0 for record in records)
    if busy > BUSY * records[0].load.cores:
        yield f"Other processes used up to {busy:.1f} cores meanwhile: run it again."
    yield f"Next: {next_command('report')}"


def _fastest(record: RuntimesRecord) -> Iterator[str]:
    """The fastest runtime in fp32, and the fastest of all if that is another one."""
    others = sorted(record.measured[1:], key=lambda found: -found[1].images_per_s)
    in_fp32 = [found for found in others if found[0].precision == FP32]
    best = list(dict.fromkeys(row.label for row, _ in (*in_fp32[:1], *others[:1])))
    speedups = {row.label: figures.speedup for row, figures in others}
    texts = [f"{label} is {speedups[label]:.1f} times as fast" for label in best]
    if texts:
        yield (
            f"{record.name}, batch {record.batch_size}: {texts[0]} as the reference"
            f"{''.join(f'; {text}' for text in texts[1:])}."
        )
