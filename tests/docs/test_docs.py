"""What README.md and docs/*.md name exists: options, commands, links, messages."""

import ast
import re

import click
import pytest

from tests.docs.blocks import PAGES, words
from tests.support.command_line import ROOT
from vanbench.cli.group import main

LINKS = [
    (page, link)
    for page, text in PAGES.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))
    if "://" not in link and not link.startswith("mailto:")
]
OF_OTHER_PROGRAMS = {
    "--help", "--version", "--pretty", "--no-index", "--depth",
    "--user", "--gpus", "--shm-size",  # docker's
    "--nproc-per-node", "--nnodes", "--node-rank", "--rdzv-endpoint",  # torchrun's
}  # fmt: skip


def commands(group=main, before=()):
    """Each command by the words that name it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        yield (*before, name), command


COMMANDS = dict(commands())
OPTIONS = {o for command in COMMANDS.values() for p in command.params for o in p.opts}


def prose(page):
    """A page without its blocks of code and, of the README, without the generated part."""
    text = re.sub(r"<!-- vanbench:\w+:begin -->.*?<!-- vanbench:\w+:end -->", "", PAGES[page],
                  flags=re.S)  # fmt: skip
    return re.sub(r"```.*?```", "", text, flags=re.S)


def anchors(text):
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def find(typed):
    """The command that the first words name, and the other words."""
    longest = 2 if tuple(typed[:2]) in COMMANDS else 1
    return COMMANDS.get(tuple(typed[:longest])), typed[longest:]


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_exist(page):
    assert set(re.findall(r"`(--[a-z-]+)", prose(page))) <= OPTIONS | OF_OTHER_PROGRAMS


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_exist_and_have_these_options(page):
    for line in re.findall(r"`vanbench ([a-z][^`]*)`", prose(page)):
        command, rest = find(words(line))
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {w for w in rest if w.startswith("-")} <= known | {"--help"}, line


@pytest.mark.parametrize(("page", "link"), dict.fromkeys(LINKS))
def test_a_relative_link_has_a_target(page, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    if anchor and target.suffix == ".md":
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_every_page_is_in_the_index():
    """Of which the site's navigation is made."""
    pages = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    linked = set(re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", PAGES["docs/index.md"], re.M))
    assert pages - {"index.md"} == linked - {"../CONTRIBUTING.md", "../CHANGELOG.md"}
    assert "](docs/index.md)" in PAGES["README.md"]


def messages():
    """The texts in the code, with the parts that are filled in left out."""
    texts = []
    for path in (ROOT / "vanbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [v.value for v in node.values if isinstance(v, ast.Constant)]
                texts.append("…".join(parts))
    return "\n".join(texts)


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code():
    rows = re.findall(r"^\| ([^|]*`[^|]*) \|", PAGES["docs/troubleshooting.md"], re.M)
    quoted = {text for row in rows for text in re.findall(r"`([^`]+)`", row)} - {".pth"}
    assert len(quoted) >= 15
    known = messages()
    assert {text for text in quoted if text not in known} == set()
