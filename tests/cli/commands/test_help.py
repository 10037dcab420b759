"""``vanbench help`` prints what ``--help`` prints."""

import pytest

from tests.support.command_line import run


@pytest.mark.parametrize("command", [[], ["verify"], ["compare-weights"], ["zoo", "check"]])
def test_the_same_as_the_option(command):
    assert run("help", *command).stdout == run(*command, "--help").stdout


def test_it_is_not_listed():
    assert "\n  help " not in run("--help").stdout


def test_a_command_has_no_commands_of_its_own():
    assert "No such command 'van_b0'.\n" in run("help", "verify", "van_b0", code=2).stderr
