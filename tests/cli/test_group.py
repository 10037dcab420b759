"""What a person can type, right and wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vanbench.cli.group import COMMANDS, main

ROOT = Path(__file__).parents[2]


def run(*args, code=0, env=None):
    outcome = CliRunner().invoke(main, [str(a) for a in args], env=env)
    assert outcome.exit_code == code, outcome.output
    assert "Traceback" not in outcome.output
    return outcome


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_and_is_in_the_readme(name):
    text = run(name, "--help").stdout
    assert "Examples:" in text
    assert f"vanbench {name}" in text
    assert f"`vanbench {name}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_can_be_set_by_environment(name):
    command = main.get_command(None, name)
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.envvar.startswith("VANBENCH_"), parameter.name


def test_common_options_mean_the_same_everywhere():
    for name in COMMANDS:
        names = {option for p in main.get_command(None, name).params for option in p.opts}
        assert {"--zoo", "--cache", "--results", "--json", "-q", "-v"} <= names, name


def test_list_json(tmp_path):
    (tmp_path / "van-tiny_8xb128_in1k_20220501-385941af.pth").write_bytes(b"")
    document = json.loads(run("list", "--json", "--cache", tmp_path).stdout)
    assert document["schema"] == 1
    first = document["models"][0]
    assert first["name"] == "van_b0.in1k"
    assert first["reported"] == {"params_m": 4.11, "flops_g": 0.88, "top1": 75.41, "top5": 93.02}
    assert [m["in_cache"] for m in document["models"]] == [True] + [False] * 7


def test_flops_json_is_the_contracts():
    outcome = run("flops", "VAN-B0", "--json")
    (model,) = json.loads(outcome.stdout)["models"]
    assert model["name"] == "van_b0.in1k"
    assert model["params"] == 4105800
    assert model["flops"]["fvcore"] == 868118912
    assert sum(model["by_operator"].values()) == model["flops"]["fvcore"]
    assert model["reported"] == {"params_m": 4.11, "flops_g": 0.88}
    assert model["architecture"]["num_classes"] == 1000
    assert model["resolution"] == 224


def test_flops_explains_the_conventions_and_the_erratum():
    text = run("flops", "van_b6", "--resolution", 32).stdout
    assert "conv_bias" in text
    assert "Not counted by fvcore" in text
    assert "Erratum, van_b6.in21k" in text
    assert "96 192 480 768: 283.90 M" in text


def test_an_option_from_the_environment(tmp_path):
    document = json.loads(run("list", "--json", env={"VANBENCH_ZOO": "demo"}).stdout)
    assert document["zoo"] == "demo"


WRONG = {
    "unknown command": (["verfiy"], 2, "No such command"),
    "unknown model": (["flops", "van_b9"], 2, "Did you mean van_b"),
    "no model": (["download"], 2, "Name at least one model, or give --all"),
    "both": (["flops", "van_b0", "--all"], 2, "not both"),
    "no zoo": (["list", "--zoo", "nowhere.toml"], 2, "No zoo 'nowhere.toml'"),
    "no data": (["validate", "van_b0"], 2, "Give --data PATH"),
    "data not there": (["validate", "van_b0", "--data", "/nowhere"], 2, "does not exist"),
    "small": (["flops", "van_b0", "--resolution", "31"], 2, "31 is not in the range"),
    "no readme": (["table", "--write", "/nowhere/README.md"], 2, "does not exist"),
    "write and check": (["table", "--write", "setup.cfg", "--check", "setup.cfg"], 2, "not both"),
    "no markers": (["table", "--check", "setup.cfg"], 2, "expected one line"),
    "limit": (["verify", "--all", "--limit", "0"], 2, "0 is not in the range"),
    "precision": (["validate", "van_b0", "--precision", "int8"], 2, "is not one of"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_gets_one_message_and_its_code(case, monkeypatch):
    monkeypatch.chdir(ROOT)
    args, code, message = WRONG[case]
    outcome = run(*args, code=code)
    assert message in outcome.stderr
    assert outcome.stdout == ""


def test_offline_and_not_there(tmp_path):
    outcome = run("download", "van_b0", "--offline", "--cache", tmp_path / "c", code=3)
    assert "van-tiny_8xb128_in1k_20220501-385941af.pth" in outcome.stderr


def test_no_such_device_is_usage(tmp_path):
    outcome = run("verify", "van_b0", "--device", "cuda:99", "--cache", tmp_path, code=2)
    assert "No device 'cuda:99'" in outcome.stderr


def test_a_file_that_is_no_checkpoint(tmp_path):
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><title>Moved</title>")
    data = ROOT / "vanbench/zoos/demo/images"
    outcome = run("validate", "--zoo", "demo", "--checkpoint", page, "--data", data, code=3)
    assert "page.pth" in outcome.stderr


def test_a_head_of_another_size_is_refused():
    """The demo's ten classes are not ImageNet's thousand."""
    file = next((ROOT / "vanbench/zoos/demo").glob("van-nano*.pth"))
    data = ROOT / "vanbench/zoos/demo/images"
    outcome = run("validate", "--checkpoint", file, "--data", data, code=3)
    assert "a head of 10 classes" in outcome.stderr


def test_an_empty_folder_is_no_data_set(tmp_path):
    file = next((ROOT / "vanbench/zoos/demo").glob("van-nano*.pth"))
    (tmp_path / "empty").mkdir()
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", file, "--data", tmp_path / "empty",
        "--results", tmp_path / "results", code=3,
    )  # fmt: skip
    assert str(tmp_path / "empty") in outcome.stderr


def test_validate_a_file_of_ones_own(tmp_path):
    file = next((ROOT / "vanbench/zoos/demo").glob("van-nano*.pth"))
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", file, "--limit", 20, "--json",
        "--results", tmp_path, "--workers", 0,
    )  # fmt: skip
    (model,) = json.loads(outcome.stdout)["models"]
    assert model["images"] == 20
    assert model["correct1"] <= model["correct5"] <= 20
    assert model["top1"] == 100 * model["correct1"] / 20
    low, high = model["ci95"]
    assert 0 <= low <= model["top1"] <= high <= 100


def test_table_check_finds_a_stale_readme(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    results = ("--results", ROOT / "results")
    run("table", "--write", readme, *results)
    run("table", "--check", readme, *results)
    readme.write_text(readme.read_text().replace("75.41", "75.42"))
    outcome = run("table", "--check", readme, *results, code=1)
    assert f"vanbench table --write {readme}" in outcome.stderr
    assert "+| van_b0.in1k" in outcome.stderr


def test_a_malformed_record_is_one_message(tmp_path):
    record = tmp_path / "openmmlab" / "van_b0.in1k.json"
    record.parent.mkdir()
    record.write_text("{")
    outcome = run("table", "--results", tmp_path, code=3)
    assert str(record) in outcome.stderr


def test_a_results_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run(
        "verify", "van_b0", "--offline", "--cache", tmp_path, "--results", tmp_path / "file" / "r",
        code=3,
    )  # fmt: skip
    assert "Error:" in outcome.stderr


def test_interrupted_is_130(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.cli.options.load_zoo", interrupt)
    assert "Interrupted." in run("list", code=130).stderr


def test_a_traceback_only_when_asked():
    assert "Traceback" in CliRunner().invoke(main, ["flops", "van_b9", "-v"]).stderr


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m vanbench list --json | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""


def test_no_colour_for_files_and_pipes():
    done = subprocess.run(
        [sys.executable, "-m", "vanbench", "list"], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"FORCE_COLOR": ""},
    )  # fmt: skip
    assert "\x1b" not in done.stdout
