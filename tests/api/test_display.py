"""Text and HTML of results: legible, and safe whatever a name holds."""

from html.parser import HTMLParser

import pytest

from vanbench.api.display import COLOURS, MOST_ROWS, Cell, View, shortened
from vanbench.report.verdicts import DEVIATES, NOT_REPORTED, REPRODUCED, SEVERITY

HOSTILE = "<img src=x onerror=alert(1)>&\"'\x1b[31m\u202e"
VIEW = View(
    title="REPRODUCED",
    sentence="1 of 2.",
    columns=("model", ">params, M"),
    rows=[["van_b0.in1k", Cell("4.11", REPRODUCED, "reproduced, reported 4.11")], ["b", "–"]],
    notes=["A note."],
)


class Elements(HTMLParser):
    """The tags, attributes and texts of a document; every tag is closed in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_text():
    assert VIEW.text() == (
        "REPRODUCED: 1 of 2.\n"
        "model        params, M\n"
        "van_b0.in1k     ✓ 4.11\n"
        "b                    –\n"
        "A note."
    )


def test_columns_are_as_wide_as_what_a_terminal_shows():
    view = View("t", "s.", ("a", ">b"), [["模型", "1"], ["xy", "22"]])
    assert view.text().splitlines()[1:] == ["a      b", "模型   1", "xy    22"]


def test_html_has_the_same_content_for_eyes_and_screen_readers():
    found = Elements(VIEW.html())
    assert [text.strip() for text in found.texts] == [
        "REPRODUCED", ": 1 of 2.", "model", "params, M", "van_b0.in1k", "✓", "4.11",
        "reproduced, reported 4.11", "b", "–", "A note.",
    ]  # fmt: skip
    assert found.tags.count("th") == 4
    assert [value for name, value in found.attributes if name == "scope"] == ["col"] * 2 + [
        "row"
    ] * 2


@pytest.mark.parametrize("part", ["title", "sentence", "columns", "rows", "cells", "notes"])
def test_nothing_from_outside_is_markup_or_moves_the_cursor(part):
    parts = {
        "title": {"title": HOSTILE},
        "sentence": {"sentence": HOSTILE},
        "columns": {"columns": (HOSTILE, ">n")},
        "rows": {"rows": [[HOSTILE, HOSTILE]]},
        "cells": {"rows": [["b", Cell(HOSTILE, DEVIATES, HOSTILE)]]},
        "notes": {"notes": [HOSTILE]},
    }
    view = View(**vars(VIEW) | parts[part])
    html, text = view.html(), view.text()
    found = Elements(html)
    assert set(found.tags) <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td",
                               "span", "br", "small", "ul", "li"}  # fmt: skip
    assert {name for name, _ in found.attributes} <= {"style", "scope", "aria-hidden"}
    assert any("<img src=x onerror=alert(1)>&\"'\\x1b[31m\\u202e" in t for t in found.texts)
    assert "\x1b" not in text + html
    assert "\u202e" not in text + html


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#ffffff", "#f5f5f5", "#1e1e1e", "#111111", "#000000"])
@pytest.mark.parametrize("verdict", COLOURS)
def test_symbols_have_contrast_in_light_and_dark_notebooks(verdict, background):
    assert contrast(COLOURS[verdict], background) >= 3


def test_every_verdict_has_a_colour_and_a_symbol():
    assert COLOURS.keys() == set(SEVERITY) - {NOT_REPORTED}
    assert all(Cell("x", verdict).symbol for verdict in COLOURS)


def test_words_and_numbers_have_the_colour_of_the_notebook():
    styled = [value for name, value in Elements(VIEW.html()).attributes if name == "style"]
    assert [value for value in styled if "color" in value] == [f"color:{COLOURS[REPRODUCED]}"]


def test_a_long_table_is_shortened():
    rows = [[str(i)] for i in range(MOST_ROWS + 1)]
    assert shortened(rows[:-1]) == (rows[:-1], "")
    shown, note = shortened(rows)
    assert len(shown) == MOST_ROWS
    assert note == f"{MOST_ROWS} of {MOST_ROWS + 1} rows; to_frame() has all of them."
