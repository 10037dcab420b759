"""The documentation builds as a site without a warning, and the site loads nothing from elsewhere."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.docs.blocks import PAGES
from tests.support.command_line import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "srcset"}
NOT_LOADED = {"canonical"}  # relations of <link> that only name an address


class Addresses(HTMLParser):
    """``loaded``: what a browser loads to show the page; ``links``: where its links lead."""

    def __init__(self, html: str):
        super().__init__()
        self.loaded, self.links = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in LOADED and found.get("rel") not in NOT_LOADED and found.get(LOADED[tag]):
            self.loaded.append(found[LOADED[tag]])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site. In strict mode a warning, such as of a link without target, is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", ".mkdocs.yml"]
    done = subprocess.run(
        [*command, "--site-dir", str(out)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_in_the_site(site):
    names = [p.removeprefix("docs/").removesuffix(".md") for p in PAGES if p.startswith("docs/")]
    for name in [*names, "CONTRIBUTING", "CHANGELOG"]:
        path = "index.html" if name == "index" else f"{name}/index.html"
        assert (site / path).is_file(), name


def test_the_navigation_has_every_page(site):
    links = Addresses((site / "index.html").read_text(encoding="utf-8")).links
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/index.md":
            assert f"{page.removeprefix('docs/').removesuffix('.md')}/" in links, page


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = {a for page in site.rglob("*.html") for a in Addresses(page.read_text()).loaded}
    assert len(loaded) >= 5
    assert {address for address in loaded if re.match(r"([a-z]+:)?//", address)} == set()


def test_links_within_the_site_lead_to_a_file(site):
    """Also those that the hook made of links out of docs/."""
    for page in site.rglob("*/index.html"):
        for link in Addresses(page.read_text(encoding="utf-8")).links:
            path = link.partition("#")[0]
            if path and "://" not in link:
                assert (page.parent / path).exists(), f"{page}: {link}"


def test_the_search_works_without_a_server(site):
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"quick-start/", "troubleshooting/", "CONTRIBUTING/"} <= found
