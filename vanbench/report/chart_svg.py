"""Charts as SVG text, without a dependency: for a page (``inline``) or as a file of its own.

The same chart gives the same text. All colours are classes, so that a page's theme applies; a file
has its own background, and follows a dark theme. Text has a size that is readable at half the
width, on a phone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from vanbench.report.charts import (
    BarChart,
    BarRow,
    Chart,
    Panel,
    Point,
    ScatterChart,
    accuracy_charts,
    complexity_chart,
)
from vanbench.report.rows import ModelRow

WIDTH, MARGIN, FONT = 800, 16, 25  # pixels: 11 of text where the page is 360 wide
CHARACTER = 0.57 * FONT  # a width that few letters exceed
BOLD = 1.15  # how much wider bold letters are
LONGEST_LABEL = 24  # characters
BAR, GAP, NOTE, ROW_GAP = 12, 2, FONT + 4, 12
PLOT_HEIGHT = 360
RADIUS = 6

LIGHT = {"ink": "#1f2328", "muted": "#59636e", "surface": "#ffffff", "line": "#d1d9e0",
         "data": "#0969da", "alert": "#a63c00"}  # fmt: skip
DARK = {"ink": "#e6edf3", "muted": "#9da7b3", "surface": "#0d1117", "line": "#3d444d",
        "data": "#58a6ff", "alert": "#f0a35e"}  # fmt: skip
CLASSES = f"""\
.chart text {{ fill: var(--ink); font-size: {FONT}px; }}
.chart .muted {{ fill: var(--muted); }}
.chart .alert {{ fill: var(--alert); }}
.chart .strong {{ font-weight: 600; }}
.chart .grid {{ stroke: var(--line); stroke-width: 1; }}
.chart .whisker {{ stroke: var(--ink); stroke-width: 2; }}
.chart .hollow {{ fill: var(--surface); stroke: var(--ink); stroke-width: 2; }}
.chart .filled {{ fill: var(--data); }}
.chart .marked.hollow {{ stroke: var(--alert); }}
.chart .marked.filled {{ fill: var(--alert); }}
"""


def variables(colors: dict[str, str]) -> str:
    """The colours as CSS custom properties."""
    return " ".join(f"--{name}: {value};" for name, value in colors.items())


def svg_file(chart: Chart) -> str:
    """The text of an SVG file."""
    body, height = _body(chart)
    style = (
        f"svg {{ {variables(LIGHT)} font-family: system-ui, 'Segoe UI', 'DejaVu Sans', Arial, "
        "sans-serif; }\n"
        f"@media (prefers-color-scheme: dark) {{ svg {{ {variables(DARK)} }} }}\n"
        f".back {{ fill: var(--surface); stroke: var(--line); }}\n{CLASSES}"
    )
    back = f'<rect class="back" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>'
    head = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
    return _element(chart, head, height, [f"<style>\n{style}</style>", back, *body]) + "\n"


def complexity_svg(rows: Sequence[ModelRow]) -> str | None:
    """The complexity figure as an SVG file's text; None without models."""
    chart = complexity_chart(rows)
    return svg_file(chart) if chart else None


def accuracy_svg(rows: Sequence[ModelRow]) -> str | None:
    """The figure of accuracy against FLOPs as an SVG file's text; None until one is measured."""
    charts = accuracy_charts(rows)
    if not charts or all(row.top1.measured is None for row in rows):
        return None
    return svg_file(charts[1])


def svg_inline(chart: Chart) -> str:
    """The chart as an element of an HTML page that defines ``CLASSES`` and the colours."""
    body, height = _body(chart)
    return _element(chart, "", height, body)


def _element(chart: Chart, head: str, height: int, body: Sequence[str]) -> str:
    key = escape(chart.key)
    return "\n".join(
        [
            f'<svg {head} class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-labelledby="{key}-title {key}-desc">',
            f'<title id="{key}-title">{escape(chart.title)}</title>',
            f'<desc id="{key}-desc">{escape(chart.description)}</desc>',
            *body,
            "</svg>",
        ]
    )


def _body(chart: Chart) -> tuple[list[str], int]:
    return _bars(chart) if isinstance(chart, BarChart) else _scatter(chart)


def shortened(label: str, most: int = LONGEST_LABEL) -> str:
    """A label of at most ``most`` characters, without its middle if it is longer.

    >>> shortened("van_base_with_a_long_name.in1k", 15)
    'van_bas…me.in1k'
    """
    if len(label) <= most:
        return label
    return f"{label[: most // 2]}…{label[len(label) - (most - 1) // 2 :]}"


def _text(x: float, y: float, text: str, classes: str = "", anchor: str = "start") -> str:
    name = f' class="{classes}"' if classes else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{_n(x)}" y="{_n(y)}"{name}{where}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, classes: str) -> str:
    ends = f'x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"'
    return f'<line class="{classes}" {ends}/>'


def _n(value: float) -> str:
    """A coordinate, rounded to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _width(text: str) -> float:
    return len(text) * CHARACTER


# Bars


def _bars(chart: BarChart) -> tuple[list[str], int]:
    """The panels beside each other, or one below the other where their titles are too wide."""
    labels = [shortened(row.label) for row in chart.panels[0].rows]
    left = MARGIN + max(map(_width, labels), default=0) + 8
    title = BOLD * max(_width(panel.title) for panel in chart.panels)
    beside = len(chart.panels)
    if title > (WIDTH - MARGIN - left) / beside:
        beside = 1
    body, top = _legend(chart.series, "rect"), float(MARGIN + FONT)
    for start in range(0, len(chart.panels), beside):
        top += FONT + 36
        panels = chart.panels[start : start + beside]
        places = list(_places(panels, len(chart.series), top))
        body += _block(panels, labels, left, places, len(chart.series))
        top = places[-1]
    return body, math.ceil(top)


def _block(
    panels: Sequence[Panel], labels: Sequence[str], left: float, places: Sequence[float], bars: int
) -> Iterator[str]:
    """Panels beside each other, with the labels of their rows; ``bars`` is how many a row has."""
    for y, label in zip(places[:-1], labels, strict=True):
        yield _text(MARGIN, y + bars * BAR / 2 + FONT / 3, label)
    width = (WIDTH - MARGIN - left) / len(panels)
    for number, panel in enumerate(panels):
        x = left + number * width
        yield _text(x, places[0] - 14, panel.title, "strong")
        yield from _panel(panel, x, width - 12, places)


def _places(panels: Sequence[Panel], bars: int, top: float) -> Iterator[float]:
    """The upper edge of each row, and where the panels end."""
    for rows in zip(*(panel.rows for panel in panels), strict=True):
        yield top
        top += bars * (BAR + GAP) + ROW_GAP + (NOTE if any(r.note for r in rows) else 0)
    yield top + 4


def _panel(panel: Panel, x: float, width: float, places: Sequence[float]) -> Iterator[str]:
    room = max((_width(row.text) for row in panel.rows), default=0) + 14
    ends = [end for row in panel.rows for bar in row.bars for end in (bar.value, bar.high) if end]
    scale = max(width - room, 40) / max(ends, default=1)
    for row, y in zip(panel.rows, places, strict=False):
        yield from _row(row, x, y, scale)


def _row(row: BarRow, x: float, y: float, scale: float) -> Iterator[str]:
    mark, end = " marked" if row.marked else "", 0.0
    for number, bar in enumerate(row.bars):
        if bar.value is None:
            continue
        kind, inset = ("filled", 0) if number else ("hollow", 1)
        upper = y + number * (BAR + GAP)
        size = max(bar.value * scale - 2 * inset, 1)
        yield (
            f'<rect class="{kind}{mark}" x="{_n(x + inset)}" y="{_n(upper + inset)}" '
            f'width="{_n(size)}" height="{BAR - 2 * inset}"/>'
        )
        if bar.low is not None and bar.high is not None:
            middle = upper + BAR / 2
            yield _line(x + bar.low * scale, middle, x + bar.high * scale, middle, "whisker")
        end = max(end, bar.value * scale, (bar.high or 0) * scale)
    middle = y + len(row.bars) * (BAR + GAP) / 2 + FONT / 3
    yield _text(x + end + 8, middle, row.text, "strong alert" if row.marked else "muted")
    if row.note:
        below = y + len(row.bars) * (BAR + GAP) + FONT - 2
        yield _text(x, below, row.note, "strong alert" if row.marked else "muted")


def _legend(names: Sequence[str], shape: str) -> list[str]:
    """One sample of each series; the first is hollow."""
    body, x, y = [], float(MARGIN), MARGIN + FONT
    for number, name in enumerate(names):
        kind = "filled" if number else "hollow"
        if shape == "rect":
            body.append(f'<rect class="{kind}" x="{_n(x)}" y="{y - 13}" width="26" height="10"/>')
        else:
            body.append(f'<circle class="{kind}" cx="{_n(x + 13)}" cy="{y - 7}" r="{RADIUS}"/>')
        body.append(_text(x + 34, y, name))
        x += 34 + _width(name) + 28
    return body


# Scatter


@dataclass(frozen=True)
class Axis:
    """A scale from values to pixels, with the values at which it is labelled."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def _axis(values: Sequence[float], start: float, end: float, *, log: bool) -> Axis:
    low, high = min(values), max(values)
    if log:
        low, high = low / 1.35, high * 1.6
        return Axis(low, high, start, end, True, tuple(log_ticks(low, high)))
    pad = (high - low) * 0.08 or 1
    low, high = low - pad, high + pad
    return Axis(low, high, start, end, False, tuple(linear_ticks(low, high)))


def log_ticks(low: float, high: float) -> Iterator[float]:
    """The powers of ten between two values; also twice and five times them, if these are few.

    >>> list(log_ticks(0.7, 30))
    [1.0, 2.0, 5.0, 10.0, 20.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for power in powers:
        for digit in (1, 2, 5) if len(powers) <= 5 else (1,):
            if low <= (value := digit * 10.0**power) <= high:
                yield value


def linear_ticks(low: float, high: float, about: int = 5) -> Iterator[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two values.

    >>> list(linear_ticks(74.2, 85.1))
    [75.0, 80.0, 85.0]
    """
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(digit for digit in (1, 2, 5, 10) if digit * unit >= rough)
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield round(number * step, 10)


def _scatter(chart: ScatterChart) -> tuple[list[str], int]:
    points = [point for series in chart.series for point in series.points]
    top = MARGIN + 2 * FONT + 40
    bottom = top + PLOT_HEIGHT
    height = bottom + 2 * FONT + 34
    body = _legend([series.name for series in chart.series], "circle")
    body.append(_text(MARGIN, top - FONT, chart.y_title, "strong"))
    if not points:
        return [*body, _text(MARGIN, top + 2 * FONT, "no points yet", "muted")], height
    x = _axis([p.x for p in points], MARGIN + 66, WIDTH - MARGIN - 8, log=True)
    ends = [end for p in points for end in (p.y, p.low, p.high) if end is not None]
    y = _axis(ends, bottom, top, log=False)
    for tick in y.ticks:
        body.append(_line(x.start, y(tick), x.end, y(tick), "grid"))
        body.append(_text(x.start - 10, y(tick) + FONT / 3, f"{tick:g}", "muted", "end"))
    for tick in x.ticks:
        body.append(_line(x(tick), bottom, x(tick), bottom + 6, "grid"))
        body.append(_text(x(tick), bottom + FONT + 8, f"{tick:g}", "muted", "middle"))
    body.append(_text(x.end, bottom + 2 * FONT + 18, chart.x_title, "strong", "end"))
    for series in chart.series:
        for point in series.points:
            body += _point(point, series.filled, x, y)
    return [*body, *_labels(points, x, y)], height


def _point(point: Point, filled: bool, x: Axis, y: Axis) -> Iterator[str]:
    px, py = x(point.x), y(point.y)
    if point.low is not None and point.high is not None:
        yield _line(px, y(point.low), px, y(point.high), "whisker")
    kind, radius = ("filled", RADIUS - 1.5) if filled else ("hollow", RADIUS)
    yield (
        f'<circle class="{kind}" cx="{_n(px)}" cy="{_n(py)}" r="{_n(radius)}">'
        f"<title>{escape(f'{point.label}: {point.y:.2f}')}</title></circle>"
    )


def _labels(points: Sequence[Point], x: Axis, y: Axis) -> Iterator[str]:
    """Each model's name once, beside a point, where no other name, point or line is; else not."""
    taken = [_extent(point, x, y) for point in points]
    named: set[str] = set()
    for point in points:
        label = shortened(point.label)
        width, px, py = _width(label), x(point.x), y(point.y)
        sides = (
            (min(px - width / 2, x.end + 8 - width), py - FONT - 12),
            (px + 12, py - FONT / 2),
            (px - width - 12, py - FONT / 2),
            (min(px - width / 2, x.end + 8 - width), py + 14),
            (min(px + 10, x.end + 8 - width), py + 14),
            (px - width - 10, py - FONT - 10),
        )
        boxes = [_box(left, upper, width, FONT) for left, upper in sides]
        inside = [b for b in boxes if b[0] >= x.start and b[2] <= x.end + 8 and b[3] <= y.start]
        free = [b for b in inside if not any(_overlap(b, other) for other in taken)]
        if point.label not in named and free:
            named.add(point.label)
            taken.append(free[0])
            yield _text(free[0][0], free[0][1] + FONT - 4, label, "muted")


def _extent(point: Point, x: Axis, y: Axis) -> "Box":
    """What a point covers, with the line of its interval."""
    ends = [y(end) for end in (point.low, point.high, point.y) if end is not None]
    upper, lower = min(*ends, y(point.y) - RADIUS), max(*ends, y(point.y) + RADIUS)
    return _box(x(point.x) - RADIUS, upper, 2 * RADIUS, lower - upper)


Box = tuple[float, float, float, float]


def _box(left: float, upper: float, width: float, height: float) -> Box:
    return left, upper, left + width, upper + height


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
