"""Charts as data: what each shows, point by point, for a renderer to draw and a table to repeat.

``chart_svg`` draws them as SVG without a dependency; ``vanbench.html_report.figures`` with
matplotlib.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

from vanbench.conventions import TITLES
from vanbench.intervals import wilson_interval
from vanbench.outside.safe_text import for_terminal
from vanbench.report.answer import difference_in_words, named_figures
from vanbench.report.bench_records import BenchRecord, Sample
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import DEVIATES, ERRATUM, SYMBOLS

MOST_NAMED = 12  # models in one sentence
LONGEST_NAME = 200  # characters of a model's name


@dataclass(frozen=True)
class Bar:
    """A value from 0, with the ends of its interval; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True)
class BarRow:
    """The bars of one model, one for each series; ``text`` is short and stands beside them.

    ``note`` needs a line of its own. ``marked``: the reader must not overlook this row.
    """

    label: str
    bars: tuple[Bar, ...]
    text: str
    note: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars of one quantity; the panels of a chart have a row for each of the same models."""

    title: str
    rows: tuple[BarRow, ...]


@dataclass(frozen=True)
class BarChart:
    """Panels about the same models. The first of the ``series`` is drawn hollow, the others filled.

    ``missing`` says which models are not in it, and why, as sentences.
    """

    key: str
    title: str
    description: str
    series: tuple[str, ...]
    panels: tuple[Panel, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """One model in a scatter chart; ``low`` and ``high`` are the ends of the 95 % interval of y."""

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points of one kind: hollow circles for reported numbers, filled ones for measured numbers."""

    name: str
    filled: bool
    points: tuple[Point, ...]


@dataclass(frozen=True)
class ScatterChart:
    """y against x for each model; ``missing`` as in BarChart."""

    key: str
    title: str
    description: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    missing: tuple[str, ...] = ()


Chart = BarChart | ScatterChart


def complexity_chart(rows: Sequence[ModelRow]) -> BarChart | None:
    """Reported and counted parameters and FLOPs; None if there are no models with any."""
    rows = [row for row in rows if _has_number(row.params) or _has_number(row.flops)]
    if not rows:
        return None
    conventions = dict.fromkeys(TITLES[row.entry.counting.convention] for row in rows)
    quantities = (("params", "Parameters, M"), ("flops", "FLOPs, G"))
    panels = tuple(
        Panel(title, tuple(_count_row(row, named_figures(row)[key]) for row in rows))
        for key, title in quantities
    )
    notes = [
        f"{_name(row)}: {difference_in_words(key, figure)}"
        for row in rows
        for key, figure in list(named_figures(row).items())[:2]
        if figure.verdict in (ERRATUM, DEVIATES)
    ]
    description = "; ".join(notes) or "No number is misprinted or deviates"
    return BarChart(
        "complexity",
        "Parameters and FLOPs, reported and counted",
        "Two bars for each model, the reported number and the counted one. FLOPs are counted as by "
        f"{' or '.join(conventions)}. {description}.",
        ("reported", "counted"),
        panels,
        _missing(rows, [(row, row.params.reason) for row in rows if row.params.measured is None]),
    )


def accuracy_charts(rows: Sequence[ModelRow]) -> tuple[ScatterChart, ...]:
    """Top-1 against parameters, and against FLOPs; none if no Top-1 was reported or measured."""
    rows = [row for row in rows if _has_number(row.top1)]
    if not rows:
        return ()
    titles = dict.fromkeys(TITLES[row.entry.counting.convention] for row in rows)
    return (
        _accuracy_chart(rows, "params", "parameters", "Parameters, M"),
        _accuracy_chart(rows, "flops", "FLOPs", f"FLOPs, G ({' or '.join(titles)})"),
    )


def speed_chart(records: Sequence[BenchRecord]) -> BarChart | None:
    """Throughput and latency of the reference and the optimised model; None without records."""
    if not records:
        return None
    throughput = tuple(_throughput_row(record) for record in records)
    latency = tuple(_latency_row(record) for record in records)
    return BarChart(
        "speed",
        "Throughput and latency, reference and optimised model",
        "Two bars for each benchmark record, the reference model and the optimised one: medians. "
        "Latency is that of one image. The lines at the ends of the bars are interquartile ranges "
        "of the samples.",
        ("reference", "optimised"),
        (
            Panel("Throughput, images/s", throughput),
            Panel("Latency, ms", latency),
        ),
    )


def chart_table(chart: Chart) -> tuple[list[str], list[list[str]]]:
    """The numbers of a chart as the headings and cells of a table."""
    if isinstance(chart, ScatterChart):
        headings = ["Model", "Kind", chart.x_title, chart.y_title, "95 % interval"]
        return headings, [
            [p.label, series.name, f"{p.x:g}", f"{p.y:.2f}", _interval(p.low, p.high, ".2f")]
            for series in chart.series
            for p in series.points
        ]
    headings = ["Model", *(f"{p.title}: {name}" for p in chart.panels for name in chart.series)]
    cells = [
        [
            rows[0].label,
            *(_bar_cell(bar) for row in rows for bar in row.bars),
        ]
        for rows in zip(*(panel.rows for panel in chart.panels), strict=True)
    ]
    return headings, cells


def _bar_cell(bar: Bar) -> str:
    if bar.value is None:
        return "–"
    interval = _interval(bar.low, bar.high, ".4g")
    return f"{bar.text} ({interval})" if interval else bar.text


def _interval(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f"{low:{form}} – {high:{form}}"


def _has_number(figure: Figure) -> bool:
    return figure.reported is not None or figure.measured is not None


def _count_row(row: ModelRow, figure: Figure) -> BarRow:
    """Reported and counted; a note says both where they differ by more than the precision."""
    digits = figure.reported.decimals if figure.reported else 2
    reported = str(figure.reported) if figure.reported else ""
    measured = "" if figure.measured is None else f"{float(figure.measured):.{digits}f}"
    marked = figure.verdict in (ERRATUM, DEVIATES)
    symbol = SYMBOLS[figure.verdict]
    if marked:
        precise = f"{float(figure.measured or 0):.{digits + 1}f}"
        text, note = "", f"{symbol} {precise}, not {reported}"
    else:
        text, note = f"{measured or reported} {symbol}".rstrip(), ""
    bars = (
        Bar(float(figure.reported.value) if figure.reported else None, text=reported),
        Bar(None if figure.measured is None else float(figure.measured), text=measured),
    )
    return BarRow(_name(row), bars, text, note, marked)


def _accuracy_chart(
    rows: Sequence[ModelRow], key: str, quantity: str, x_title: str
) -> ScatterChart:
    reported = tuple(point for row in rows if (point := _reported_point(row, key)))
    measured = tuple(point for row in rows if (point := _measured_point(row, key)))
    count = f"{len(measured)} of {len(rows)} models measured"
    return ScatterChart(
        f"accuracy-{key}",
        f"Top-1 accuracy against {quantity}",
        f"Hollow circles are reported numbers, filled ones measured numbers; {count}. The vertical "
        "lines are 95 % intervals of the accuracy, from the number of images.",
        x_title,
        "Top-1, %",
        (Series("reported", False, reported), Series("measured", True, measured)),
        _missing(rows, [(row, row.top1.reason) for row in rows if not _measured_point(row, key)]),
    )


def _reported_point(row: ModelRow, key: str) -> Point | None:
    x, y, images = named_figures(row)[key].reported, row.top1.reported, row.entry.claimed_images
    if x is None or y is None or not x.value:
        return None
    ends = wilson_interval(round(y.value * images / 100), images) if images else (None, None)
    return Point(_name(row), float(x.value), float(y.value), *ends)


def _measured_point(row: ModelRow, key: str) -> Point | None:
    x, y, accuracy = named_figures(row)[key].measured, row.top1.measured, row.record.accuracy
    if x is None or y is None or accuracy is None:
        return None
    ends = wilson_interval(accuracy.correct1, accuracy.images)
    return Point(_name(row), float(x), float(y), *ends)


def _missing(
    rows: Sequence[ModelRow], reasons: Iterable[tuple[ModelRow, str | None]]
) -> tuple[str, ...]:
    """A sentence for each reason, with the models that it is the reason of."""
    found: dict[str, list[str]] = {}
    for row, reason in reasons:
        found.setdefault(reason or "no reason is on record", []).append(_name(row))
    return tuple(
        f"Not measured: {_listed(names, len(rows))} ({for_terminal(reason, most=300)})."
        for reason, names in found.items()
    )


def _listed(names: Sequence[str], total: int) -> str:
    if len(names) == total > 1:
        return f"all {total} models"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _throughput_row(record: BenchRecord) -> BarRow:
    batch = record.batch_size
    bars = tuple(
        _speed_bar(f"{value:.3g}", value, (batch / seconds for seconds in taken))
        for value, taken in (
            (record.reference.images_per_s, _seconds(record, batch, "reference")),
            (record.optimized.images_per_s, _seconds(record, batch, "optimized")),
        )
    )
    return BarRow(bench_label(record), bars, f"×{record.speedup:.2f}")


def _latency_row(record: BenchRecord) -> BarRow:
    bars = tuple(
        _speed_bar(f"{value:.3g}", value, (1000 * seconds for seconds in taken))
        for value, taken in (
            (record.reference.latency_ms.p50, _seconds(record, 1, "reference")),
            (record.optimized.latency_ms.p50, _seconds(record, 1, "optimized")),
        )
    )
    return BarRow(bench_label(record), bars, " → ".join(bar.text for bar in bars))


def bench_label(record: BenchRecord) -> str:
    """What a benchmark record is of: the model, and what differs from fp32 on a CPU."""
    return for_terminal(" ".join((record.name, *record.variant)), most=LONGEST_NAME)


def _seconds(record: BenchRecord, batch: int, kind: str) -> Iterator[float]:
    samples: tuple[Sample, ...] = record.samples_s_cpu_s.get(str(batch), {}).get(kind, ())
    return (seconds for seconds, _ in samples if seconds > 0)


def _speed_bar(text: str, value: float, samples: Iterable[float]) -> Bar:
    """A median with the quartiles of its samples."""
    taken = list(samples)
    if len(taken) < 2:
        return Bar(value, text=text)
    low, _, high = quantiles(taken, n=4, method="inclusive")
    return Bar(value, low, high, text)


def _name(row: ModelRow) -> str:
    return for_terminal(row.entry.name, most=LONGEST_NAME)
