"""The colours of the page and of its charts, in both themes."""

import re
from importlib import resources

import pytest

from vanbench.html_report.page import DARK_THEME, LIGHT_THEME
from vanbench.report.chart_svg import CLASSES

TEXT = ("ink", "muted", "alert", "good", "bad", "link")
BACKGROUNDS = ("surface", "raised")
CSS = CLASSES + resources.files("vanbench.html_report").joinpath("page.css").read_text("utf-8")


def luminance(color: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT_THEME, DARK_THEME], ids=["light", "dark"])
def test_text_can_be_read_and_marks_can_be_seen(theme):
    for background in BACKGROUNDS:
        for name in TEXT:
            assert contrast(theme[name], theme[background]) >= 4.5, (name, background)
        assert contrast(theme["data"], theme[background]) >= 3


def test_every_colour_is_one_of_the_theme():
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", CSS) == []
    assert set(re.findall(r"var\(--(\w+)\)", CSS)) == set(LIGHT_THEME) == set(DARK_THEME)
