"""What ``vanbench bench`` prints of the reference and the optimised model."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vanbench.cli.baselines import BUSY
from vanbench.cli.output import echo, print_table
from vanbench.cli.phrases import next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.report.bench_records import BenchRecord
from vanbench.report.verdicts import NOT_MEASURED


def print_models(names: Sequence[str], records: Mapping[str, BenchRecord]) -> None:
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
    print_table(columns, [_row(name, records.get(name)) for name in names])


def _row(name: str, record: BenchRecord | None) -> list[str]:
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


def about_models(records: Sequence[BenchRecord], results: Path) -> Iterator[str]:
    """What was found, what makes it doubtful, and what to do next."""
    if not records:
        return
    speedups = [record.speedup for record in records]
    low, high = f"{min(speedups):.1f}", f"{max(speedups):.1f}"
    times = low if low == high else f"{low} to {high}"
    where = "CPU" if records[0].device == "cpu" else "GPU"
    yield (
        f"The optimized model is {times} times as fast as the reference at batch "
        f"{records[0].batch_size} on this {where}; records in {results / 'bench'}."
    )
    if different := [record.name for record in records if not record.same_top5]:
        yield f"Its five best classes differ from the reference's: {', '.join(different)}."
    busy = [record.load.other_cores or 0.0 for record in records]
    if max(busy) > BUSY * records[0].load.cores:
        yield f"Other processes used up to {max(busy):.1f} cores meanwhile: run it again."
    yield f"Next: {next_command('report')}"


def print_details(names: Sequence[str], records: Mapping[str, BenchRecord]) -> None:
    """A row for each batch size of each model, and a line about each."""
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
        for name in names
        for row in (
            _rows(records[name]) if name in records else [[name, "", NOT_MEASURED, *missing]]
        )
    ]
    print_table(columns, rows)
    for record in records.values():
        echo(_remark(record))


def _rows(record: BenchRecord) -> list[list[str]]:
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


def _remark(record: BenchRecord) -> str:
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
