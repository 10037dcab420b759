"""What the documentation's site adds to the pages under docs/ (a hook of mkdocs).

The navigation is made of the lists in docs/index.md. CONTRIBUTING.md and CHANGELOG.md are pages,
too. Links that lead out of the site are absolute, or left out while setup.cfg has no address.
"""

import posixpath
import re
import sys
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from outside_links import in_repository, source_address, with_links  # noqa: E402

PAGES = ("CONTRIBUTING.md", "CHANGELOG.md")
"""Files of the repository's top folder that are pages of the site."""

ITEM = re.compile(r"^- \[([^\]]+)\]\(([^)]+)\)", re.M)


def on_config(config: MkDocsConfig) -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    config.nav = [{"Home": "index.md"}, *navigation(index)]


def navigation(index: str) -> list[dict[str, list[dict[str, str]]]]:
    """The second-level headings of a page, each with the links that begin the items below it."""
    sections = re.split(r"^## +(.+)$", index, flags=re.M)[1:]
    return [
        {title: [{label: path.removeprefix("../")} for label, path in ITEM.findall(text)]}
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with links that hold in the site."""
    folder = "" if page.file.src_uri in PAGES else "docs"
    known = [file.src_uri for file in files]
    address = source_address(ROOT / "setup.cfg")

    def target(link: str, *, image: bool = False) -> str | None:
        path, mark, anchor = link.partition("#")
        whole = posixpath.normpath(posixpath.join(folder, path))
        name = whole if whole in PAGES else posixpath.relpath(whole, "docs")
        if name in known:
            return posixpath.relpath(name, posixpath.dirname(page.file.src_uri)) + mark + anchor
        return in_repository(address, whole + mark + anchor, image=image)

    return with_links(markdown, target, partial(target, image=True))
