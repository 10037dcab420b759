"""Charts as SVG text."""

from xml.etree import ElementTree

import pytest

from vanbench.report.chart_svg import (
    CHARACTER,
    FONT,
    LONGEST_LABEL,
    WIDTH,
    shortened,
    svg_file,
    svg_inline,
)
from vanbench.report.charts import Bar, BarChart, BarRow, Panel, Point, ScatterChart, Series

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</title><script>alert(1)</script>"&'


def bars(*rows):
    return BarChart("key", "Title", "Description", ("one", "two"), (Panel("P", rows),))


def bar_row(label, one, two, text="1"):
    return BarRow(label, (Bar(one), Bar(two)), text)


def scatter(*points):
    return ScatterChart("key", "Title", "Description", "x", "y", (Series("s", True, points),))


def numbers(text, tag, name, kind):
    """The attribute of each element of a kind, without the one of the legend."""
    found = [e for e in ElementTree.fromstring(text).iter(f"{SVG}{tag}") if e.get("class") == kind]
    return [float(e.get(name)) for e in found[1:]]


def test_the_lengths_of_bars_are_in_proportion_to_the_values():
    text = svg_file(bars(bar_row("a", 100, 50), bar_row("b", None, 25)))
    long, short = numbers(text, "rect", "width", "filled")
    assert long == pytest.approx(2 * short, abs=0.2)
    (hollow,) = numbers(text, "rect", "width", "hollow")
    assert hollow + 2 == pytest.approx(2 * long, abs=0.2)  # its line is inside of its length


@pytest.mark.parametrize("count", [1, 8, 200])
def test_any_number_of_models_is_inside_the_picture(count):
    rows = [bar_row(f"model-{i}", i + 1, i + 0.5) for i in range(count)]
    points = [Point(f"model-{i}", 0.5 + i, 60 + i / 10, 59, 99) for i in range(count)]
    for chart in (bars(*rows), scatter(*points)):
        root = ElementTree.fromstring(svg_file(chart))
        height = float(root.get("height"))
        for element in root.iter():
            for name, most in (("x", WIDTH), ("cx", WIDTH), ("y", height), ("cy", height)):
                assert 0 <= float(element.get(name, 0)) <= most


def test_names_do_not_cover_one_another_and_are_said_once():
    points = [Point("twin", 10, 80), Point("twin", 10.1, 80.1), Point("other", 10, 80)]
    root = ElementTree.fromstring(svg_file(scatter(*points)))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts.count("twin") == 1
    assert [t.text for t in root.iter(f"{SVG}title")].count("twin: 80.00") == 1


@pytest.mark.parametrize(("low", "high"), [(79, 81), (70, 90), (80, 99), (60, 80)])
def test_no_name_crosses_the_line_of_an_interval(low, high):
    points = [Point("first", 1, 80, low, high), Point("second", 2, 80.5, low, high)]
    root = ElementTree.fromstring(svg_file(scatter(*points)))
    lines = [e for e in root.iter(f"{SVG}line") if e.get("class") == "whisker"]
    names = [e for e in root.iter(f"{SVG}text") if e.text in ("first", "second")]
    assert (len(lines), len(names)) == (2, 2)
    for name in names:
        left, base = float(name.get("x")), float(name.get("y"))
        for line in lines:
            x, y1, y2 = (float(line.get(key)) for key in ("x1", "y1", "y2"))
            beside = x < left or x > left + len(name.text) * CHARACTER
            assert beside or base < min(y1, y2) or base - FONT > max(y1, y2)


@pytest.mark.parametrize("draw", [svg_file, svg_inline])
def test_hostile_text_is_text(draw):
    chart = BarChart("key", HOSTILE, HOSTILE, (HOSTILE, "b"), (Panel(HOSTILE, (
        BarRow(HOSTILE, (Bar(1), Bar(2)), HOSTILE, HOSTILE, True),)),))  # fmt: skip
    text = draw(chart)
    assert "<script" not in text
    ElementTree.fromstring(text)


def test_a_title_and_a_description_name_the_picture():
    root = ElementTree.fromstring(svg_file(scatter(Point("a", 1, 2))))
    ids = root.get("aria-labelledby").split()
    assert [root.find(f".//*[@id='{name}']").text for name in ids] == ["Title", "Description"]
    assert root.get("role") == "img"


def test_long_names_lose_their_middle():
    assert shortened("a" * 10) == "a" * 10
    found = shortened("first" + "-" * 100 + "last")
    assert len(found) == LONGEST_LABEL
    assert found.startswith("first")
    assert found.endswith("last")


def test_the_text_begins_where_the_longest_bar_ends():
    text = svg_file(bars(bar_row("a", 100.0, 25.0, "100")))
    (x,), (width,) = (numbers(text, "rect", name, "hollow") for name in ("x", "width"))
    end = x + width + 1  # of outline
    (shown,) = (e for e in ElementTree.fromstring(text).iter(f"{SVG}text") if e.text == "100")
    assert float(shown.get("x")) == pytest.approx(end + 8, abs=0.2)


@pytest.mark.parametrize(("title", "lines"), [("P", 1), ("A title that is much too wide", 2)])
def test_panels_whose_titles_are_too_wide_are_below_each_other(title, lines):
    panels = (Panel(title, (bar_row("a", 1, 2),)),) * 2
    text = svg_file(BarChart("key", "Title", "Description", ("one", "two"), panels))
    titles = [e for e in ElementTree.fromstring(text).iter(f"{SVG}text") if e.text == title]
    assert len({e.get("y") for e in titles}) == lines
