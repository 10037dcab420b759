"""What makes verdicts safe: each check finds its problem, and no other file has it."""

import tomllib

import pytest

from vanbench.zoo.advice import advice
from vanbench.zoo.reader import SHIPPED

SAFE = """
schema = 1
name = "mine"
title = "Mine"
source = "https://example.org/paper"
[protocol]
center_crop = 224
[models."van_b0.a"]
architecture = "van_b0"
url = "https://example.org/van-385941af.pth"
reported = { params_m = "4.11", flops_g = "0.88", top1 = "75.41", top5 = "93.02" }
"""
OTHER = """
[models."van_b1.a"]
architecture = "van_b1"
url = "https://example.org/other-17bc91aa.pth"
reported = { params_m = "13.86" }
"""


def found(text, tmp_path):
    zoo, items = advice(tmp_path / "mine.toml", tomllib.loads(text))
    assert zoo is not None
    return [(one.level, one.model, one.key, one.problem) for one in items]


def test_a_file_with_everything_is_safe(tmp_path):
    assert found(SAFE + OTHER, tmp_path) == []


def test_the_shipped_zoo_is_safe():
    path = SHIPPED / "openmmlab.toml"
    assert advice(path, tomllib.loads(path.read_text("utf-8")))[1] == []


@pytest.mark.parametrize(
    ("old", "new", "level", "key", "problem"),
    [
        ("-385941af", "", "unsafe", "sha256", "no hash: another file"),
        ("-385941af", "-20240101", "unsafe", "sha256", "no hash: another file"),
        ("https://example.org/paper", "My paper", "note", "source", "the source is not a web"),
        ("[protocol]\ncenter_crop = 224", "", "unsafe", "protocol", "no protocol, so that the"),
        ("center_crop = 224", 'classes = ["a"]', "unsafe", "images", "no number of images"),
        ("https://example.org/van", "http://example.org/van", "note", "url", "the address is http"),
        ("https://example.org/van", "van", "unsafe", "url", "there is no file van-385941af.pth"),
        ('"4.11"', '"4.12"', "unsafe", "params_m", "4.12 M parameters reported, 4.106 M"),
        ('"0.88"', '"0.868"', "unsafe", "flops_g", "0.868 G FLOPs reported, 0.880 G expected"),
        ('"93.02"', '"70.00"', "unsafe", "top5", "Top-5 (70.00) is below Top-1 (75.41)"),
        ('"75.41"', '"0.7541"', "unsafe", "top1", "0.7541 looks like a share"),
        ('"75.41"', '"75"', "note", "top1", "75 has no decimals"),
        ('"75.41"', '"75.41001"', "note", "top1", "75.41001 has more digits"),
        ("schema = 1", 'schema = 1\ndata = "val"', "unsafe", "data", "there is no data set val"),
    ],
)  # fmt: skip
def test_each_problem_alone(old, new, level, key, problem, tmp_path):
    assert old in SAFE
    (one,) = found(SAFE.replace(old, new), tmp_path)
    assert (one[0], one[2]) == (level, key)
    assert one[3].startswith(problem)


def test_a_file_without_hash_over_http_is_not_safe(tmp_path):
    text = SAFE.replace("-385941af", "").replace(
        "https://example.org/van", "http://example.org/van"
    )
    assert {(level, key) for level, _, key, _ in found(text, tmp_path)} == {
        ("unsafe", "sha256"), ("unsafe", "url")
    }  # fmt: skip


@pytest.mark.parametrize(
    "url", ["https://example.org/van-385941af.pth", "https://mirror.org/copy-385941af.pth"]
)
def test_two_models_of_one_file(url, tmp_path):
    text = SAFE + OTHER.replace("https://example.org/other-17bc91aa.pth", url)
    (one,) = found(text, tmp_path)
    assert one == ("note", "van_b1.a", "url", "its checkpoint is the one of van_b0.a")


def test_a_model_without_figures(tmp_path):
    (one,) = found(SAFE + OTHER.replace('reported = { params_m = "13.86" }', ""), tmp_path)
    assert one[:3] == ("note", "van_b1.a", "reported")


def test_a_file_that_is_there_and_an_own_protocol_are_fine(tmp_path):
    (tmp_path / "van-385941af.pth").write_bytes(b"x")
    text = SAFE.replace("https://example.org/van", "van")
    text = text.replace("[protocol]\ncenter_crop = 224", "")
    assert found(text + "protocol = { center_crop = 224 }\n", tmp_path) == []


def test_a_file_that_cannot_be_used_has_its_problems_alone(tmp_path):
    path = tmp_path / "mine.toml"
    zoo, items = advice(path, tomllib.loads(SAFE.replace("schema = 1", "schema = 2")))
    assert zoo is None
    (one,) = items
    assert (one.level, one.model) == ("unusable", None)
    assert one.problem == "top level, key 'schema': expected 1, found int 2"


def test_the_worst_comes_first(tmp_path):
    text = SAFE.replace("https://example.org/paper", "x").replace("-385941af", "")
    assert [level for level, *_ in found(text, tmp_path)] == ["unsafe", "note"]
