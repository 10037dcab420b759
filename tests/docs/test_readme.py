"""Every command, option and path that the README names exists."""

import re
import shlex
import tomllib
from fractions import Fraction

import click
import pytest

from tests.support.command_line import ROOT
from vanbench.cli.group import COMMANDS, main
from vanbench.model.expected_counts import expected_params
from vanbench.zoo.reader import load_zoo

README = (ROOT / "README.md").read_text(encoding="utf-8")
WITHOUT_TABLE = re.sub(
    r"<!-- vanbench:results:begin -->.*<!-- vanbench:results:end -->", "", README, flags=re.S
)
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
TYPED = re.findall(r"^vanbench .*$", BLOCKS, re.M) + re.findall(
    r"`(vanbench [^`]+)`", WITHOUT_TABLE
)


@pytest.mark.parametrize("line", dict.fromkeys(TYPED))
def test_a_command_has_the_options_and_arguments_that_are_shown(line):
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in COMMANDS
    command = main.get_command(None, name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {a for a in arguments if a.startswith("-")} <= known
    context = click.Context(command, parent=click.Context(main, **main.context_settings))
    _, left, _ = command.make_parser(context).parse_args(args=list(arguments))
    assert left == []


def test_options_in_the_text_are_those_of_a_command():
    known = {o for name in COMMANDS for p in main.get_command(None, name).params for o in p.opts}
    assert set(re.findall(r"`(--[a-z-]+)", WITHOUT_TABLE)) <= known | {"--help"}


def test_relative_links_and_paths_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 8
    for link in links:
        assert (ROOT / link).exists(), link


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.M))
    assert targets >= {"demo", "table", "test", "check"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_example_of_a_zoo_is_one(tmp_path):
    """And its parameters are those of its architecture."""
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    entry = load_zoo(str(tmp_path / "mine.toml")).find("my_van")
    params, _ = expected_params(entry.architecture)
    assert entry.claims.params_m.equals(Fraction(params, 10**6))
    assert tomllib.loads(text)["name"] == "mine"
