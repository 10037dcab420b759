"""Options that several commands share."""

import json

import click
import pytest

from tests.support.command_line import ROOT, run
from vanbench.cli import options
from vanbench.cli.group import COMMANDS, main


def test_an_option_from_the_environment():
    document = json.loads(run("list", "--json", env={"VANBENCH_ZOO": "demo"}).stdout)
    assert document["zoo"] == "demo"


@pytest.mark.parametrize("command", ["validate", "verify"])
def test_decoded_images_are_kept_and_read(command, tmp_path):
    """By the option, and by its variable."""
    line = [command, "van_nano", "--zoo", "demo", "--offline", "--limit", 12, "--workers", 0]
    line += ["--results", tmp_path, "--fresh"]
    crops = tmp_path / "crops"
    first = run(*line, "--cache-images", crops)
    assert f"{crops}: 0 of 12 are there, the rest takes 46.2 kB." in first.stderr
    second = run(*line, env={"VANBENCH_CACHE_IMAGES": str(crops)})
    assert "Decoded images are kept" not in second.stderr
    assert "12 of 12 images came from the cache of decoded images." in second.stderr


def test_an_option_means_the_same_everywhere():
    """Except defaults and help of options that only some commands give another meaning."""
    own_meaning = {
        "--batch-size", "--workers", "--all", "--write", "--check", "--by", "--resolution",
        "--details", "--sample", "--runtime",
    }  # fmt: skip
    found = {}
    for name in COMMANDS:
        for parameter in main.get_command(None, name).params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                meaning = (parameter.help, str(parameter.default), parameter.type.name)
                if option not in own_meaning:
                    assert found.setdefault(option, meaning) == meaning, f"{option} of {name}"
    assert {"--device", "--data", "--precision", "--on-error"} <= found.keys()


WRONG = {
    "unknown model": (["flops", "van_b9"], "Did you mean van_b6.in21k?"),
    "no model": (["download"], "Name at least one model, or give --all"),
    "both": (["flops", "van_b0", "--all"], "not both"),
    "no zoo": (["list", "--zoo", "nowhere.toml"], "nowhere.toml"),
    "data not there": (["validate", "van_b0", "--data", "/nowhere"], "does not exist"),
    "limit": (["verify", "--all", "--limit", "0"], "0 is not in the range"),
    "precision": (["validate", "van_b0", "--precision", "fp8"], "is not one of"),
    "no such choice": (["verify", "van_b0", "--choices", '{"speed": 1}'], "--choices"),
    "choices that are no JSON": (["verify", "van_b0", "--choices", "{"], "--choices"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_gets_one_message_and_its_code(case, monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments, message = WRONG[case]
    outcome = run(*arguments, code=2)
    assert message in outcome.stderr
    assert outcome.stdout == ""


def test_no_such_device_is_usage(tmp_path):
    outcome = run("verify", "van_b0", "--device", "cuda:99", "--cache", tmp_path, code=2)
    assert "No device 'cuda:99'" in outcome.stderr


def test_quiet_and_verbose(capsys):
    def settings(**changes):
        values = {"as_json": False, "quiet": False, "verbose": False} | changes
        return options.Settings("demo", ROOT, ROOT, **values)

    settings().say("shown")
    settings().detail("detail")
    assert capsys.readouterr().err == "shown\n"
    settings(quiet=True, verbose=True).say("hidden")
    settings(quiet=True, verbose=True).detail("detail")
    assert capsys.readouterr().err == "detail\n"


def test_decorated_lists_the_last_option_first():
    @click.command()
    def command(**_):
        pass

    function = options.decorated(
        command.callback, options.option("--second"), options.option("--first")
    )
    names = [parameter.name for parameter in click.command()(function).params]
    assert names == ["first", "second"]
