"""``--weights``: which weights of a training checkpoint are scored, said, recorded and stored."""

import json
import shutil

import pytest
import torch

from tests.support.command_line import DEMO, demo_checkpoint, run
from tests.support.forge import save
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.files import sha256_of

MODEL = "van_nano.digits"
IMAGES = 40


@pytest.fixture
def file(tmp_path):
    """The demo's weights, and beside them averaged ones that see digit-3 everywhere."""
    plain = read_state_dict(demo_checkpoint())
    averaged = {name: tensor.clone() for name, tensor in plain.items()}
    head = next(name for name in averaged if name.endswith("fc.weight"))
    averaged[head] *= 1e-6
    averaged[head.replace("weight", "bias")] = torch.nn.functional.one_hot(
        torch.tensor(3), 10
    ).float()
    content = {"state_dict": plain, "state_dict_ema": averaged, "epoch": 1}
    return save(content, tmp_path / "training.pth")


def validate(file, folder, *options):
    """One model's figures, and what was said on stderr."""
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", file, "--workers", 0, "--limit", IMAGES,
        "--reference", "--results", folder, "--json", *options,
    )  # fmt: skip
    (model,) = json.loads(outcome.stdout)["models"]
    return model, outcome.stderr


def test_the_weights_asked_for_are_scored_and_never_taken_from_the_other_run(file, tmp_path):
    results = tmp_path / "results"
    plain, said = validate(file, results)
    assert plain["weights"] == "plain"
    assert plain["correct1"] > IMAGES * 0.8
    assert (
        "training.pth: plain weights from 'state_dict'; averaged (EMA) weights are in "
        "'state_dict_ema'." in said
    )
    averaged, _ = validate(file, results, "--weights", "ema")
    assert averaged["weights"] == "ema"
    assert averaged["correct1"] == IMAGES // 10  # of each digit the same number
    assert averaged["images_per_s"] is not None
    again, _ = validate(file, results, "--weights", "plain")
    assert again["correct1"] == plain["correct1"]
    assert again["images_per_s"] is None  # nothing was computed again


def test_averaged_weights_that_the_file_does_not_have(tmp_path):
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", demo_checkpoint(), "--weights", "ema",
        "--results", tmp_path, code=3,
    )  # fmt: skip
    assert "expected averaged (EMA) weights, found plain weights only" in outcome.stderr


def test_quiet_says_nothing(file, tmp_path):
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", file, "--workers", 0, "--limit", 2,
        "--reference", "--results", tmp_path / "results", "-q",
    )  # fmt: skip
    assert "averaged" not in outcome.stderr


@pytest.fixture
def zoo(file, tmp_path):
    """The demo zoo, whose model is the file with both weights."""
    text = (DEMO.parent / "demo.toml").read_text()
    shutil.copytree(DEMO, tmp_path / "demo")
    name = f"training-{sha256_of(file)[:8]}.pth"
    shutil.move(file, tmp_path / "demo" / name)
    path = tmp_path / "demo.toml"
    path.write_text(text.replace("van-nano_digits-02d1f972.pth", name))
    return path


def verify(zoo, *options, code):
    outcome = run(
        "verify", MODEL, "--zoo", zoo, "--cache", zoo.parent / "cache", "--workers", 0,
        "--results", zoo.parent / "results", "--reference", *options, code=code,
    )  # fmt: skip
    path = zoo.parent / "results" / "demo" / f"{MODEL}.json"
    return outcome, json.loads(path.read_text())


def test_a_record_says_which_weights_were_scored(zoo):
    _, record = verify(zoo, "--json", code=0)
    assert record["checkpoint"]["weights"] == record["accuracy"]["weights"] == "plain"
    outcome, record = verify(zoo, "--weights", "ema", "--json", code=1)
    assert record["checkpoint"]["weights"] == record["accuracy"]["weights"] == "ema"
    (model,) = json.loads(outcome.stdout)["models"]
    assert model["checkpoint"]["weights"] == "ema"
    assert model["top1"]["verdict"] == "deviates"
    table = run("table", "--zoo", zoo, "--results", zoo.parent / "results").stdout
    assert "the file's averaged (EMA) weights" in table


def test_an_accuracy_of_other_weights_is_not_kept_beside_the_file(zoo):
    verify(zoo, code=0)
    (zoo.parent / "demo" / "images").rename(zoo.parent / "images")
    zoo.write_text(zoo.read_text().replace('data = "demo/images"', ""))
    _, record = verify(zoo, code=0)
    assert record["accuracy"]["weights"] == "plain"
    _, record = verify(zoo, "--weights", "ema", code=0)
    assert record["checkpoint"]["weights"] == "ema"
    assert record["accuracy"] is None
