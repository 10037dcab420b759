"""``vanbench flops``: what adds up, and what other tools would say."""

import json
import re

import pytest
from click.testing import CliRunner

from tests.support.command_line import run
from vanbench.cli.group import main
from vanbench.conventions import CONVENTIONS, COUNTERS, OPERATIONS


def flops(*args, zoo="demo"):
    outcome = CliRunner().invoke(main, ["flops", "--zoo", zoo, *args])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def columns(text):
    """The numbers of each row that has a count under both conventions."""
    rows = re.findall(r"^([\w.]+) +([\d,]+|–) +([\d,]+|–) *$", text, re.MULTILINE)
    number = {"–": "0"}
    return {
        name: [int(number.get(v, v).replace(",", "")) for v in values] for name, *values in rows
    }


@pytest.mark.parametrize("by", ["operator", "module"])
def test_each_column_adds_up_to_its_total(by):
    rows = columns(flops("van_nano", "--by", by))
    total = rows.pop("total")
    assert "pool" in rows
    assert [sum(column) for column in zip(*rows.values(), strict=True)] == total
    assert all(total)


def test_the_rules_of_both_conventions_are_shown():
    text = flops("van_nano")
    for convention in CONVENTIONS.values():
        assert f"{convention.title} counts {convention.rule}." in text


def test_explain_shows_every_counter_with_its_figure_and_rule():
    text = flops("van_nano", "--explain")
    (model,) = json.loads(flops("van_nano", "--json"))["models"]
    for name, counter in COUNTERS.items():
        figure = f"{model['counters'][name]['flops']:,}"
        assert re.search(rf"{re.escape(counter.title)} +{figure} .*{re.escape(counter.rule)}", text)
        assert f"{counter.title}: {counter.note}." in text
    for name, meaning in OPERATIONS.items():
        assert re.search(rf"{name} +{model['operations'][name]:,} +{meaning}", text)


def test_json_has_the_counters_beside_the_keys_of_the_contract():
    (model,) = json.loads(flops("van_nano", "--json"))["models"]
    contract = {"name", "architecture", "resolution", "params", "params_backbone", "flops",
                "by_operator", "reported"}  # fmt: skip
    assert contract <= model.keys()
    assert model["flops"].keys() == {"fvcore", "openmmlab", "torchvision"}
    assert model["flops"]["torchvision"] is None
    assert model["counters"].keys() == COUNTERS.keys()
    for name in ("fvcore", "openmmlab"):
        total = model["flops"][name]
        assert model["counters"][name]["flops"] == total == sum(model["by_module"][name].values())
    assert model["counters"]["torch"]["flops"] == 2 * (
        model["operations"]["conv"] + model["operations"]["linear"]
    )


def test_json_is_the_contracts():
    (model,) = json.loads(run("flops", "VAN-B0", "--json").stdout)["models"]
    assert model["name"] == "van_b0.in1k"
    assert model["params"] == 4105800
    assert model["flops"]["fvcore"] == 868118912
    assert sum(model["by_operator"].values()) == model["flops"]["fvcore"]
    assert model["reported"] == {"params_m": 4.11, "flops_g": 0.88}
    assert model["architecture"]["num_classes"] == 1000
    assert model["resolution"] == 224


def test_the_erratum_and_the_conventions_are_explained():
    text = run("flops", "van_b6", "--resolution", 32).stdout
    assert "conv_bias" in text
    assert "Not counted by fvcore" in text
    assert "van_b6.in21k is misprinted: 283.9 M and 55.28 G are the counts" in text
    assert "96 192 480 768: 283.90 M" in text


def test_an_input_that_is_too_small_is_a_usage_error():
    assert "31 is not in the range" in run("flops", "van_b0", "--resolution", 31, code=2).stderr


def test_an_input_that_is_too_large_is_a_usage_error():
    for side in (4097, 10**30):
        assert "is not in the range" in run("flops", "van_b0", "--resolution", side, code=2).stderr
    text = " ".join(run("flops", "van_b6", "--resolution", 1200, code=2).stderr.split())
    assert "--resolution: van_b6.in21k is too large: " in text
    assert "FLOPs at 1200×1200, and the limit is 1,000,000,000,000" in text


def test_the_answer_says_how_many_models_have_the_reported_counts():
    text = flops("--all")
    assert "2 of 2 models have the reported parameters and FLOPs.\n" in text
    assert text.endswith("\nNext: vanbench verify --all --zoo demo\n")


def test_small_counts_are_shown_with_three_digits():
    (row,) = [line for line in flops("van_nano").splitlines() if line.startswith("van_nano")]
    assert row.split() == ["van_nano.digits", "✓", "0.0992", "0.0992", "✓", "0.000863",
                           "0.000838", "0.000863"]  # fmt: skip


def test_flops_at_another_resolution_are_not_compared():
    text = flops("van_nano", "--resolution", "64")
    (row,) = [line for line in text.splitlines() if line.startswith("van_nano")]
    assert row.endswith("0.000863 at 32")
    assert "1 of 1 model has the reported parameters.\n" in text
    assert "The reported FLOPs are for 32×32; those counted here are not compared" in text
    (model,) = json.loads(flops("van_nano", "--resolution", "64", "--json"))["models"]
    assert model["verdicts"] == {"params": "reproduced", "flops": None}
    assert (model["resolution"], model["reported_resolution"]) == (64, 32)


def test_a_model_that_cannot_be_counted_has_its_error_in_its_row(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("vanbench.flops.count", fail)
    outcome = run("flops", "--all", "--zoo", "demo", "--json", code=3)
    for model in json.loads(outcome.stdout)["models"]:
        assert model["flops"] is None
        assert model["error"]["message"] == model["reason"]
    assert "○" in run("flops", "--all", "--zoo", "demo", code=3).stdout


def test_a_model_of_torchvision_is_counted_under_its_own_convention():
    (model,) = json.loads(flops("squeezenet1_1", "--json", zoo="torchvision"))["models"]
    assert model["architecture"] == {"library": "torchvision", "arch": "squeezenet1_1",
                                     "image_size": None, "num_classes": 1000}  # fmt: skip
    assert model["params"] == 1_235_496
    assert model["flops"] == {"fvcore": 349_320_936, "openmmlab": None, "torchvision": 349_151_936}
    assert model["verdicts"] == {"params": "reproduced", "flops": "reproduced"}
    assert model["counters"].keys() == {"torchvision", "fvcore"}
    assert model["by_operator_openmmlab"] is None
    text = flops("squeezenet1_1", "--explain", zoo="torchvision")
    assert "conv + matmul + attention" in text
    assert "OpenMMLab" not in text
