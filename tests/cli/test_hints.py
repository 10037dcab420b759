"""What is printed for a command line that is nearly right."""

import pytest

from tests.support.command_line import run
from vanbench.cli.group import COMMANDS
from vanbench.cli.hints import SYNONYMS, nearest_commands


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("verfy --all", "No such command 'verfy'. Did you mean verify?"),
        ("Verify", "No such command 'Verify'. Did you mean verify?"),
        ("compare_weights a b", "No such command 'compare_weights'. Did you mean compare-weights?"),
        ("ls", "No such command 'ls'. Did you mean list?"),
        ("eval van_b0", "No such command 'eval'. Did you mean validate?"),
        ("macs", "No such command 'macs'. Did you mean flops?"),
        ("benchmarks", "No such command 'benchmarks'. Did you mean bench?"),
        ("pred", "No such command 'pred'. Did you mean predictions?"),
        ("com", "No such command 'com'. Did you mean compare or compare-weights or compare-models?"),
        ("zzz", "No such command 'zzz'."),
        ("help verfy", "No such command 'verfy'. Did you mean verify?"),
        ("--all verify", "No such option '--all'. Options come after the command: vanbench verify --all"),
        (
            "--zoo demo verify -q",
            "No such option '--zoo'. Options come after the command: vanbench verify --zoo demo -q",
        ),
        (
            "-qv --zoo data flops van_nano",  # the value is also the name of a command
            "No such option '-q'. Options come after the command: vanbench flops -qv --zoo data van_nano",
        ),
        (
            "--mirror https://me:SECRET@host/x verify --all",
            "No such option '--mirror'. Options come after the command: "
            "vanbench verify --mirror https://host/x --all",
        ),
        ("--zoo verify", "No such option '--zoo'."),  # no command is left
        ("--by operator verify", "No such option '--by'."),  # verify does not have it
        ("--nonsense list", "No such option '--nonsense'."),
        ("--all", "No such option '--all'."),
    ],
)  # fmt: skip
def test_a_wrong_command_line(arguments, message):
    outcome = run(*arguments.split(), code=2)
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("Usage: ")
    assert outcome.stderr.partition("\n\n")[2] == f"Error: {message}\n"


def test_a_misplaced_option_with_a_space_in_its_value():
    error = run("--zoo", "my zoo.toml", "list", code=2).stderr
    assert error.endswith("vanbench list --zoo 'my zoo.toml'\n")


def test_every_synonym_leads_to_a_command_and_is_none():
    assert set(SYNONYMS.values()) <= COMMANDS.keys()
    assert not SYNONYMS.keys() & COMMANDS.keys()


def test_a_group_of_few_commands_suggests_only_its_own():
    assert nearest_commands("ls", ["import", "check"]) == []
    assert nearest_commands("chek", ["import", "check"]) == ["check"]


def test_a_hostile_name_is_short_and_printable():
    error = run("\x1b[31m" + "x" * 10_000, code=2).stderr
    assert "\x1b" not in error
    assert len(error) < 500


def test_a_wrong_option_of_a_command_suggests_the_near_ones():
    error = run("verify", "--al", code=2).stderr
    assert "--all" in error.split("No such option")[1]
