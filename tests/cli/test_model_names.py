"""From the names of models that are typed to entries of the zoo."""

import json

import pytest

from tests.support.command_line import run
from vanbench.cli.model_names import select, select_one
from vanbench.errors import UnknownModelError
from vanbench.zoo.reader import load_zoo

OPENMMLAB, DEMO = load_zoo("openmmlab"), load_zoo("demo")


def chosen(*names):
    return [entry.name for entry in select(OPENMMLAB, names, everything=False)]


def test_select_keeps_the_order_and_names_each_model_once():
    assert chosen("van_b2", "VAN-B0", "van_b2.in1k") == ["van_b2.in1k", "van_b0.in1k"]
    assert chosen("van-base", "van_b[12]", "van-tiny") == [
        "van_b2.in1k", "van_b1.in1k", "van_b0.in1k",
    ]  # fmt: skip


def test_select_everything():
    assert select(DEMO, (), everything=True) == DEMO.entries


@pytest.mark.parametrize(
    ("zoo", "name", "remedy"),
    [
        (OPENMMLAB, "van_b7", "Did you mean van_b6.in21k?"),
        (OPENMMLAB, "tiny", "Did you mean van_b0.in1k (van-tiny)?"),
        (OPENMMLAB, "VAN-Nano", "The zoo 'demo' has van_nano.digits: give --zoo demo."),
        (OPENMMLAB, "*.digits", "The zoo 'demo' has van_nano.digits, van_micro.digits: give --zoo demo."),
        (OPENMMLAB, "micro", "Did you mean van_micro.digits of --zoo demo?"),
        (DEMO, "van-tiny", "The zoo 'openmmlab' has van_b0.in1k: give --zoo openmmlab."),
        (DEMO, "resnet50", "The zoo 'torchvision' has resnet50.imagenet1k_v1: give --zoo torchvision."),
        (DEMO, "zzz9", "It has van_nano.digits, van_micro.digits."),
        (DEMO, "zzz9*", "It has van_nano.digits, van_micro.digits."),
    ],
)  # fmt: skip
def test_an_unknown_model(zoo, name, remedy):
    for act in (lambda: select(zoo, (name,), everything=False), lambda: select_one(zoo, name)):
        with pytest.raises(UnknownModelError) as caught:
            act()
        assert str(caught.value) == f"no model '{name}' in the zoo '{zoo.name}'. {remedy}"


def test_a_file_is_not_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "van_b0.pth").touch()
    with pytest.raises(UnknownModelError, match=r"vanbench validate --checkpoint van_b0\.pth"):
        select(OPENMMLAB, ("van_b0.pth",), everything=False)


def test_one_model():
    assert select_one(OPENMMLAB, "van-large").name == "van_b3.in1k"
    with pytest.raises(
        UnknownModelError, match=r"It matches van_b4\.in1k, van_b4\.in21k\. Give one"
    ):
        select_one(OPENMMLAB, "van_b4*")


def test_commands_take_all_of_these_names():
    models = json.loads(run("flops", "van-tiny", "*.in21k", "--json").stdout)["models"]
    assert [model["name"] for model in models] == [
        "van_b0.in1k", "van_b4.in21k", "van_b5.in21k", "van_b6.in21k",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "command", ["download", "flops", "validate --data .", "verify", "bench", "import .", "diagnose --data ."]
)  # fmt: skip
def test_every_command_says_which_zoo_has_a_model(command):
    outcome = run(*command.split(), "van_nano", code=2)
    assert "The zoo 'demo' has van_nano.digits: give --zoo demo." in outcome.stderr
    assert outcome.stdout == ""
