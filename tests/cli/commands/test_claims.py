"""``vanbench claims``: all sources side by side, and converted files tensor by tensor."""

import json
import re

import pytest
import torch

from tests.support.arranged import arrange, checkpoint, published_name, write_zoo
from tests.support.command_line import run
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from tests.support.verifying import Shell, claim
from vanbench.checkpoints.key_names import OFFICIAL, OPENMMLAB, TRANSFORMERS
from vanbench.zoo.reader import load_zoo, shipped_zoos

CLASSES = [f"class-{i}" for i in range(10)]


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def data(model, tmp_path_factory):
    return arrange(tmp_path_factory.mktemp("data"), model, CLASSES, 3, 2, 1)


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of shipped zoos of our own."""
    folder = tmp_path / "zoos"
    folder.mkdir()
    monkeypatch.setattr("vanbench.zoo.reader.SHIPPED", folder)
    return folder


def put(folder, name, claim, weights_of=None):
    """A zoo with one claim, which says whose weights it has."""
    path = write_zoo(folder / f"{name}.toml", CLASSES, claim)
    text = path.read_text().replace('name = "test"', f'name = "{name}"')
    if weights_of:
        text = text.replace("architecture =", f'weights_of = "{weights_of}"\narchitecture =')
    path.write_text(text)


@pytest.fixture
def served(sources, server, model):
    """The same model in three zoos, in three namings, as three files on a server."""
    figures = {"top1": "50.00", "top5": "83.33"}
    put(sources, "authors", claim(server, model, "van_test.a", OFFICIAL, **figures))
    put(sources, "hub", claim(server, model, "van_test.h", TRANSFORMERS, **figures), "authors/van_test.a")  # fmt: skip
    put(sources, "lab", claim(server, model, "van_test.l", OPENMMLAB, **figures), "authors/van_test.a")  # fmt: skip
    return sources


@pytest.fixture
def shell(tmp_path, data):
    shell = Shell(tmp_path, data)
    shell.zoo = "all"
    return shell


def claims(shell, *args, code=0):
    return json.loads(shell("claims", *args, "--json", code=code).stdout)


def test_a_zoo_in_each_naming_is_verified_over_http_in_one_pass(shell, served):
    document = shell.verify()
    names = ["authors/van_test.a", "hub/van_test.h", "lab/van_test.l"]
    assert [row["name"] for row in document["models"]] == names
    assert [row["verdict"] for row in document["models"]] == ["reproduced"] * 3
    assert [row["checkpoint"]["format"] for row in document["models"]] == [
        "official", "transformers", "openmmlab",
    ]  # fmt: skip
    for name in names:
        record = json.loads((shell.results / f"{name}.json").read_text())
        assert f"{record['zoo']}/{record['name']}" == name
    said = shell("verify", "--all", "--data", shell.data, "--workers", "0").output
    assert said.count("centre crop") == 1  # one pass for all
    assert "verify --all --zoo all" in shell("list").stdout


def test_each_zoo_finds_the_record_that_all_wrote(shell, served):
    shell.verify()
    shell.zoo = "hub"
    (row,) = json.loads(shell("table", "--json").stdout)["models"]
    assert (row["name"], row["verdict"]) == ("van_test.h", "reproduced")


def test_measured_accuracies_and_converted_files(shell, served):
    shell.verify()
    document = claims(shell)
    (found,) = document["models"]
    assert found["name"] == "van_test"
    assert document["standings"]["reproduced"] == 12
    assert [(c["name"], c["status"]) for c in found["conversions"]] == [
        ("hub/van_test.h", "same"), ("lab/van_test.l", "same"),
    ]  # fmt: skip
    assert {c["equal"] == c["tensors"] > 50 for c in found["conversions"]} == {True}
    said = shell("claims", "van_test").stdout
    assert "hub/van_test.h, lab/van_test.l: same tensors as authors/van_test.a" in said


def test_a_file_that_was_not_converted_is_found(shell, served, server, model):
    other = randomized()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.head.bias[3] += 1e-6
    content = checkpoint(other, OPENMMLAB)
    url = server.put(f"/lab/{published_name(content)}", content)
    path = served / "lab.toml"
    path.write_text(re.sub('url = ".*"', f'url = "{url}"', path.read_text()))
    shell("download", "--all")
    (found,) = claims(shell, code=1)["models"]
    hub, lab = found["conversions"]
    assert (hub["status"], lab["status"]) == ("same", "different")
    assert lab["reason"].startswith("head.bias: differs by up to")
    assert lab["equal"] == lab["tensors"] - 1


def test_without_both_files_nothing_is_compared(shell, served):
    shell("download", "hub/van_test")
    (found,) = claims(shell)["models"]
    assert [c["status"] for c in found["conversions"]] == ["not compared"] * 2
    assert (
        "not compared with authors/van_test.a: the cache has no file of it"
        in shell("claims").stdout
    )


def test_a_damaged_file_in_the_cache_is_a_failure(shell, served):
    shell("download", "--all")
    (file,) = (p for p in (shell.folder / "cache").iterdir() if p.name in _names("lab"))
    file.write_bytes(b"\x80" + file.read_bytes())
    outcome = shell("claims", code=3)
    assert "lab/van_test.l" in outcome.stderr


def _names(zoo):
    return [entry.filename for entry in load_zoo(zoo).entries]


def test_a_deviating_claim_is_exit_code_1(shell, served):
    path = served / "hub.toml"
    path.write_text(re.sub('params_m = "(.*?)"', 'params_m = "9.99"', path.read_text()))
    document = claims(shell, code=1)
    assert document["standings"]["deviates"] == 1


def test_all_shipped_claims_are_shown_without_an_option(tmp_path):
    done = run("claims", "--results", tmp_path, "--cache", tmp_path)
    zoos = [name for name in shipped_zoos() if name not in ("demo", "torchvision")]
    assert all(f"{zoo}/van_b" in done.stdout for zoo in zoos)
    assert "0 deviating" in done.stdout
    one = run("claims", "--zoo", "openmmlab", "--results", tmp_path, "--cache", tmp_path)
    assert "26 numbers in 8 claims" in one.stdout
    assert "authors/" not in one.stdout.replace("with authors/", "")


def test_only_the_architecture_of_a_model(tmp_path):
    done = run("claims", "paper/van_b6.table5", "--results", tmp_path, "--cache", tmp_path)
    assert re.findall(r"^van_b\d$", done.stdout, re.M) == ["van_b6"]
    assert "! 38.4 → 38.9" in done.stdout
    assert "no model 'van_b9'" in run("claims", "van_b9", code=2).stderr


@pytest.mark.parametrize("command", [["table"], ["report"], ["bench", "--all"]])
def test_all_is_refused_where_one_zoo_is_needed(command):
    done = run(*command, "--zoo", "all", code=2)
    assert "'all' is for list, download" in done.stderr
