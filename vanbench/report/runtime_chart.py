"""The chart of a model's speed in several runtimes and precisions; see ``report.charts``."""

import re
from collections.abc import Iterator
from statistics import median, quantiles

from vanbench.outside.safe_text import for_terminal
from vanbench.report.charts import Bar, BarChart, BarRow, Panel
from vanbench.report.runtime_records import RuntimeFigures, RuntimeRow, RuntimesRecord


def runtime_chart(record: RuntimesRecord) -> BarChart:
    """Images per second of each runtime and precision, one at a time and in the largest batch."""
    name = for_terminal(" ".join((record.name, *record.variant)), most=200)
    batches = sorted({1, record.batch_size})
    return BarChart(
        f"runtimes-{re.sub(r'[^A-Za-z0-9.-]', '-', name)}",
        f"Runtimes and precisions: {name}",
        "A bar for each batch size: images per second from the median of the passes, which the "
        "runtimes took in turns. The number is how many times as fast as the reference in fp32 the "
        f"batch of {record.batch_size} is. The lines at the ends of the bars are interquartile "
        "ranges of the samples.",
        tuple(f"batch {batch}" for batch in batches),
        (
            Panel(
                "Throughput, images/s",
                tuple(_row(row, figures, batches) for row, figures in record.measured),
            ),
        ),
        tuple(_missing(record)),
    )


def _row(row: RuntimeRow, figures: RuntimeFigures, batches: list[int]) -> BarRow:
    bars = tuple(_bar(batch, figures) for batch in batches)
    return BarRow(row.label, bars, f"×{figures.speedup:.2f}")


def _bar(batch: int, figures: RuntimeFigures) -> Bar:
    """Images per second of a batch size, with the quartiles of its passes."""
    speeds = [batch / seconds for seconds, _ in figures.samples_s_cpu_s[str(batch)]]
    value = batch / median(seconds for seconds, _ in figures.samples_s_cpu_s[str(batch)])
    if len(speeds) < 2:
        return Bar(value, text=f"{value:.3g}")
    low, _, high = quantiles(speeds, n=4, method="inclusive")
    return Bar(value, low, high, f"{value:.3g}")


def _missing(record: RuntimesRecord) -> Iterator[str]:
    for row in record.rows:
        if row.figures is None:
            reason = for_terminal((row.reason or "").rstrip("."), most=300)
            yield f"{row.label} is not in it: {row.status} ({reason})."
