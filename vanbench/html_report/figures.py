"""The report's charts as SVG and PNG files for papers, drawn by matplotlib.

The same records give the same files: no dates, fixed ids. Text is drawn as outlines.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vanbench.errors import DependencyError
from vanbench.html_report.sources import Sources
from vanbench.report.charts import (
    BarChart,
    Chart,
    Panel,
    ScatterChart,
    accuracy_charts,
    complexity_chart,
    speed_chart,
)
from vanbench.report.runtime_chart import runtime_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "vanbench",
    "svg.fonttype": "path",
}
FILLED, ALERT, INK = "#0969da", "#a63c00", "#1f2328"
WIDTH = 6.9  # inches: the text width of a two-column page
DPI = 300
HEIGHT = 0.2  # of a bar, in rows
MOST_NAMED = 30  # points that are labelled with their names


def charts_of(sources: Sources) -> list[Chart]:
    """The charts of a report that have anything to show."""
    found = (complexity_chart(sources.rows), *accuracy_charts(sources.rows),
             speed_chart(sources.benches), *map(runtime_chart, sources.runtimes))  # fmt: skip
    return [chart for chart in found if chart is not None]


def write_figures(sources: Sources, folder: Path) -> list[Path]:
    """Draw each chart to ``folder`` as SVG and PNG; the files.

    DependencyError without matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise DependencyError(
            "figures need matplotlib",
            remedy="Install it with: pip install 'vanbench[figures]'",
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stubs list every key
        return [path for chart in charts_of(sources) for path in _write(chart, folder)]


def _write(chart: Chart, folder: Path) -> Iterator[Path]:
    figure = _bars(chart) if isinstance(chart, BarChart) else _scatter(chart)
    metadata: dict[str, dict[str, Any]] = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    for kind, values in metadata.items():
        path = folder / f"{chart.key}.{kind}"
        figure.savefig(path, dpi=DPI, metadata=values)
        yield path


def _bars(chart: BarChart) -> "Figure":
    from matplotlib.figure import Figure

    count = len(chart.panels[0].rows)
    figure = Figure(figsize=(WIDTH, 0.9 + 0.24 * count), layout="constrained")
    axes = figure.subplots(1, len(chart.panels), sharey=True, squeeze=False)[0]
    for panel, ax in zip(chart.panels, axes, strict=True):
        _panel(panel, chart.series, ax)
    axes[0].set_yticks(range(count), [row.label for row in chart.panels[0].rows])
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False)
    return figure


def _panel(panel: Panel, series: tuple[str, ...], ax: "Axes") -> None:
    for number, name in enumerate(series):
        for place, row in enumerate(panel.rows):
            bar = row.bars[number]
            color = ALERT if row.marked else FILLED if number else INK
            ax.barh(
                place + (number - (len(series) - 1) / 2) * 1.4 * HEIGHT,
                bar.value or 0,
                HEIGHT,
                xerr=_error(bar.value, bar.low, bar.high),
                facecolor=color if number else "none",
                edgecolor=color,
                linewidth=0.7,
                error_kw={"elinewidth": 0.7},
                label=name if place == 0 else None,
            )
    for place, row in enumerate(panel.rows):
        end = max((bar.high or bar.value or 0 for bar in row.bars), default=0)
        numbers = " / ".join(bar.text or "–" for bar in row.bars)
        ax.annotate(numbers, (end, place), (3, 0), textcoords="offset points", va="center",
                    fontsize=6.5, color=ALERT if row.marked else INK)  # fmt: skip
    ax.margins(x=0.35)
    ax.set_xlim(left=0)
    ax.set_xlabel(panel.title)


def _error(value: float | None, low: float | None, high: float | None) -> Any:
    """The distances from a value to the ends of its interval, as matplotlib takes them."""
    if value is None or low is None or high is None:
        return None
    return [[max(value - low, 0)], [max(high - value, 0)]]


def _scatter(chart: ScatterChart) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(WIDTH / 2 + 1, 3), layout="constrained")
    ax = figure.subplots()
    named: set[str] = set()
    sides = ((6, -9, "left"), (-6, 4, "right"))  # by turns, so that names of neighbours are apart
    for series in chart.series:
        color = FILLED if series.filled else INK
        for place, point in enumerate(sorted(series.points, key=lambda p: p.x)):
            ax.errorbar(
                point.x,
                point.y,
                yerr=_error(point.y, point.low, point.high),
                fmt="o",
                markersize=3.5 if series.filled else 5.5,
                markerfacecolor=color if series.filled else "none",
                color=color,
                elinewidth=0.8,
                label=None if series.name in ax.get_legend_handles_labels()[1] else series.name,
            )
            if point.label not in named and len(series.points) <= MOST_NAMED:
                named.add(point.label)
                dx, dy, align = sides[place % 2]
                ax.annotate(point.label, (point.x, point.y), (dx, dy), fontsize=6.5, ha=align,
                            textcoords="offset points")  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.15)
    ax.set_xlabel(chart.x_title)
    ax.set_ylabel(chart.y_title)
    ax.grid(axis="y", linewidth=0.4)
    if named:
        ax.legend(frameon=False, loc="lower right")
    return figure
