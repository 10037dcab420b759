"""The code blocks of README.md and docs/*.md, and the commands in them."""

import re
import shlex
from functools import cache

from tests.support.command_line import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}


def all_blocks(page: str) -> list[tuple[str, str]]:
    """The language and the content of each block of a page, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGES[page], re.M | re.S)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in that language."""
    return [content for found, content in all_blocks(page) if found == language]


def whole_lines(block: str) -> list[str]:
    """The command lines of a block; those that go on in the next line are joined."""
    joined = re.sub(r"(\\|(?<=\|))\n\s*", " ", block)
    return [line for line in map(str.strip, joined.splitlines()) if line and line[0] != "#"]


def words(line: str) -> list[str]:
    """The words of a command line, without its comment."""
    return shlex.split(line, comments=True)


@cache
def typed() -> tuple[tuple[str, str], ...]:
    """Each page with each command line that it shows, in order."""
    return tuple(
        (page, line)
        for page in PAGES
        for block in blocks(page, "sh")
        for line in whole_lines(block)
    )
