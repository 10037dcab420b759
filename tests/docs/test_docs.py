"""Every command, option and link in docs/*.md exists."""

import re
import shlex

import click
import pytest

from tests.support.command_line import ROOT
from vanbench.cli.group import COMMANDS, main

DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
TYPED = [
    (name, line)
    for name, text in DOCS.items()
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.S)
    for line in re.findall(r"^(?:\$ )?(vanbench .*)$", block, re.M)
]
LINKS = [
    (name, link)
    for name, text in DOCS.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", text)
    if "://" not in link and not link.startswith("mailto:")
]
OF_OTHER_PROGRAMS = {"--help", "--pretty", "--no-index", "--depth"}


def anchors(text):
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize(("doc", "line"), dict.fromkeys(TYPED))
def test_a_command_has_the_options_and_arguments_that_are_shown(doc, line):
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in COMMANDS, doc
    command = main.get_command(None, name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {a.partition("=")[0] for a in arguments if a.startswith("-")} <= known
    context = click.Context(command, info_name=name)
    _, left, _ = command.make_parser(context).parse_args(args=list(arguments))
    assert left == []


@pytest.mark.parametrize("doc", DOCS)
def test_options_and_commands_in_the_text_exist(doc):
    known = {o for name in COMMANDS for p in main.get_command(None, name).params for o in p.opts}
    text = re.sub(r"```.*?```", "", DOCS[doc], flags=re.S)
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= known | OF_OTHER_PROGRAMS
    assert set(re.findall(r"`vanbench ([a-z-]+)", text)) <= COMMANDS.keys()


@pytest.mark.parametrize(("doc", "link"), dict.fromkeys(LINKS))
def test_a_relative_link_has_a_target(doc, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / "docs" / path).resolve() if path else ROOT / "docs" / doc
    assert target.exists()
    if anchor and target.suffix == ".md":
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_every_document_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {doc for doc in DOCS if f"docs/{doc}" not in readme} == set()
