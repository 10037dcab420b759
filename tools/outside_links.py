"""Relative links in Markdown that lead out of what is published: made absolute, or left out.

The package index shows the README without the files beside it, and the documentation's site shows
the pages of docs/ without the rest of the repository. ``setup.py`` and the site's build run this
file; it imports nothing of the package.
"""

import re
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

FENCE = re.compile(r"^(```.*?^```[^\S\n]*$)", re.M | re.S)
PICTURE = re.compile(r"<picture>.*?</picture>", re.S)
IMAGE_TAG = re.compile(r"<img\b[^>]*>")
ATTRIBUTE = re.compile(r'\b(src|srcset|href)="([^"]+)"')
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])+)\]\(([^)\s]+)\)")
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//", re.I)

Resolve = Callable[[str], str | None]
"""The new target of a relative one; None where the link is left out."""


def source_address(setup_cfg: Path) -> str | None:
    """The address called Source among ``project_urls`` in setup.cfg; None where there is none."""
    config = ConfigParser(interpolation=None)
    config.read(setup_cfg, encoding="utf-8")
    lines = config.get("metadata", "project_urls", fallback="").splitlines()
    addresses = {k.strip(): v.strip() for k, _, v in (line.partition("=") for line in lines)}
    return addresses.get("Source", "").rstrip("/") or None


def in_repository(address: str | None, path: str, *, image: bool = False) -> str | None:
    """Where a file of the repository is on the web; None without an address."""
    return address and f"{address}/{'raw' if image else 'blob'}/HEAD/{path}"


def with_links(text: str, link: Resolve, image: Resolve) -> str:
    """The Markdown text with new targets for its relative links and images, outside of code.

    A link that is left out leaves its text, an image nothing.
    """
    parts = FENCE.split(text)
    return "".join(
        part if number % 2 else _prose(part, link, image) for number, part in enumerate(parts)
    )


def _prose(text: str, link: Resolve, image: Resolve) -> str:
    for tag in (PICTURE, IMAGE_TAG):
        text = tag.sub(lambda found: _tag(found[0], image), text)
    text = IMAGE.sub(lambda found: _image(*found.groups(), image), text)
    return LINK.sub(lambda found: _link(*found.groups(), link), text)


def _tag(tag: str, image: Resolve) -> str:
    """An element with images; left out as a whole if one of its images is."""
    targets = {old: _resolved(old, image) for _, old in ATTRIBUTE.findall(tag)}
    if None in targets.values():
        return ""
    return ATTRIBUTE.sub(lambda found: f'{found[1]}="{targets[found[2]]}"', tag)


def _image(alternative: str, target: str, image: Resolve) -> str:
    new = _resolved(target, image)
    return "" if new is None else f"![{alternative}]({new})"


def _link(label: str, target: str, link: Resolve) -> str:
    new = _resolved(target, link)
    return label if new is None else f"[{label}]({new})"


def _resolved(target: str, resolve: Resolve) -> str | None:
    return target if ABSOLUTE.match(target) else resolve(target)
