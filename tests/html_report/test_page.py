"""The page of ``vanbench report``: self-contained, structured, and safe against text from outside."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, run

VOID = {"meta", "link", "br", "hr", "input", "img", "col"}


class Structure(HTMLParser):
    """Which elements a page has; every element must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(path: Path):
    parser = Structure()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser.elements


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the committed records."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    run("report", "-o", path, "--results", ROOT / "results")
    return path


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in read(page):
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes
        if tag in ("a", "use") and attributes.get("href", "").startswith("http"):
            assert tag == "a"
    assert "Content-Security-Policy" in page.read_text(encoding="utf-8")
    assert "url(" not in page.read_text(encoding="utf-8")


def test_the_page_can_be_read_without_seeing_it(page):
    elements = read(page)
    tags = [tag for tag, _ in elements]
    assert {"main", "h1", "caption", "title"} <= set(tags)
    assert ("html", {"lang": "en"}) in [(tag, {"lang": a.get("lang")}) for tag, a in elements]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in attributes for tag, attributes in elements if tag == "th")


def test_the_answer_is_on_it(page):
    text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    assert "INCOMPLETE" in text
    assert "14 of 26 published numbers reproduced, 2 misprints" in text
    assert "van_b6.in21k is misprinted" in text


def test_the_same_records_give_the_same_page(page, tmp_path):
    other = tmp_path / "other.html"
    run("report", "-o", other, "--results", ROOT / "results")
    assert other.read_bytes() == page.read_bytes()


def test_empty_results_give_a_page(tmp_path):
    run("report", "-o", tmp_path / "page.html", "--results", tmp_path / "none")
    assert "INCOMPLETE" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_hostile_text_is_shown_as_text(tmp_path):
    zoo = tmp_path / "zoo.toml"
    text = (ROOT / "vanbench/zoos/demo.toml").read_text(encoding="utf-8")
    title = re.search(r'^title = "(.*)"$', text, re.M)[1]
    zoo.write_text(text.replace(title, "<script>alert(1)</script>"), encoding="utf-8")
    run("report", "--zoo", zoo, "-o", tmp_path / "page.html", "--results", tmp_path / "none")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
