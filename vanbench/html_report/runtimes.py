"""The report's part about runtimes: a chart and a table for each benchmark of them."""

from vanbench.html_report.elements import figure, paragraph, table
from vanbench.report.runtime_chart import runtime_chart
from vanbench.report.runtime_records import RuntimeFigures, RuntimeRow, RuntimesRecord

COLUMNS = [
    "Runtime", "Precision", ">Images/s", ">Speed-up", ">p50, ms", ">p95, ms", ">p99, ms",
    ">Peak memory, MB", ">Start-up, s", ">process", ">load", ">prepare", ">first batch",
    ">Largest error", "Top-5", "Versions",
]  # fmt: skip


def runtimes_part(records: tuple[RuntimesRecord, ...]) -> str:
    """Nothing without records."""
    return "".join(map(_one, records))


def _one(record: RuntimesRecord) -> str:
    about = record.environment
    where = about.gpu or f"a CPU ({about.cpu}, {about.threads} threads)"
    text = (
        f"Runtimes took turns on {where}, {record.date}, with random weights and images. Images "
        f"per second are those of batch {record.batch_size}, latency is that of one image. "
        "Speed-up, error and Top-5 are those beside the reference in fp32. Start-up is the time "
        "of a new process to the logits of its first batch."
    )
    rows = [_cells(row, figures) for row, figures in record.measured]
    chart = runtime_chart(record)
    return figure(chart) + paragraph(text) + table(chart.title, COLUMNS, rows)


def _cells(row: RuntimeRow, figures: RuntimeFigures) -> list[str]:
    start, latency = figures.start_up, figures.latency_ms
    seconds = (start.total_s, start.process_s, start.load_s, start.prepare_s, start.first_batch_s)
    return [
        row.runtime,
        row.precision or "",
        f"{figures.images_per_s:.2f}",
        f"{figures.speedup:.2f}",
        *(f"{ms:.1f}" for ms in (latency.p50, latency.p95, latency.p99)),
        "–" if figures.peak_memory is None else f"{figures.peak_memory / 1e6:.0f}",
        *(f"{part:.2f}" for part in seconds),
        f"{figures.max_relative_error:.0e}",
        "same" if figures.same_top5 else "differs",
        ", ".join(f"{name} {version}" for name, version in row.versions.items()),
    ]
