"""The page in headless Chromium, where it is installed: nothing is loaded, tables sort, it fits."""

import os

import pytest

from tests.support.chromium import Browser, find
from tests.support.command_line import ROOT, run

pytestmark = pytest.mark.skipif(
    os.name == "nt" or find() is None, reason="needs Chromium on a POSIX system"
)

LEAST_CONTRAST = """
(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const shown = [...document.querySelectorAll("body, body *:not(script, title, desc, style)")];
  document.querySelectorAll("details").forEach((element) => { element.open = true; });
  return shown.filter(hasText).map((element) => {
    const style = getComputedStyle(element);
    const color = element instanceof SVGElement ? style.fill : style.color;
    const [low, high] = [light(color), light(behind(element))].sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), element.outerHTML.slice(0, 80)];
  }).sort((a, b) => a[0] - b[0])[0];
})()
"""
ORDER = "[...document.querySelectorAll('table.sortable tbody th')].map((e) => e.textContent)"
HEADING = (
    "[...document.querySelectorAll('table.sortable thead th')].find((e) => e.textContent === '{}')"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    run("report", "-o", folder / "page.html", "--results", ROOT / "results")
    with Browser(find(), folder / "profile") as browser:
        browser.open(folder / "page.html")
        yield browser


def test_no_request_leaves_and_nothing_is_refused(browser):
    (own,) = browser.requests
    assert own.startswith("file:")
    assert own.endswith("/page.html")
    assert browser.complaints == []


def test_the_table_sorts_by_the_column_that_is_clicked(browser):
    models = browser.evaluate(ORDER)
    assert models[:2] == ["van_b0.in1k", "van_b1.in1k"]
    heading = HEADING.format("Parameters, M")
    for direction, expected in (("ascending", models), ("descending", models[::-1])):
        browser.evaluate(f"{heading}.querySelector('button').click()")
        assert browser.evaluate(f"{heading}.getAttribute('aria-sort')") == direction
        found = browser.evaluate(ORDER)
        assert [found[0], found[-1]] == [expected[0], expected[-1]]
    heading = HEADING.format("Top-1, %")
    for best in ("van_b0.in1k", "van_b4.in1k"):
        browser.evaluate(f"{heading}.querySelector('button').click()")
        found = browser.evaluate(ORDER)
        assert found[0] == best
        assert {name.split(".")[1] for name in found[5:]} == {"in21k"}  # without a Top-1: last
    assert browser.evaluate("document.querySelectorAll('[aria-sort]').length") == 1


def test_the_first_key_stop_skips_to_the_answer(browser):
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                     windowsVirtualKeyCode=9)  # fmt: skip
    assert browser.evaluate("document.activeElement.getAttribute('href')") == "#answer"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


@pytest.mark.parametrize("width", [390, 830, 1280])
def test_the_page_never_scrolls_sideways(browser, width):
    browser.resize(width)
    browser.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_enough_contrast(browser, theme):
    browser.theme(theme)
    ratio, element = browser.evaluate(LEAST_CONTRAST)
    assert ratio >= 4.5, element
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (theme == "light")
