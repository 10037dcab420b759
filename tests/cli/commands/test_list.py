"""``vanbench list``."""

import json

from tests.support.command_line import run


def test_json(tmp_path):
    (tmp_path / "van-tiny_8xb128_in1k_20220501-385941af.pth").write_bytes(b"")
    document = json.loads(run("list", "--json", "--cache", tmp_path).stdout)
    assert document["schema"] == 1
    first = document["models"][0]
    assert first["name"] == "van_b0.in1k"
    assert first["reported"] == {"params_m": 4.11, "flops_g": 0.88, "top1": 75.41, "top5": 93.02}
    assert [m["in_cache"] for m in document["models"]] == [True] + [False] * 7


def test_table(tmp_path):
    text = run("list", "--cache", tmp_path).stdout
    row, training = [line for line in text.splitlines() if "van_b0.in1k" in line]
    for cell in ("32 64 160 256", "3 3 5 2", "4.11", "0.88", "75.41", "93.02", "not in the cache"):
        assert cell in row
    assert training.split() == ["van_b0.in1k", "From", "scratch", "van-b0_8xb128_in1k.py", "[1]"]
    assert "[1] Converted from the official repo" in text
    assert "@article{guo2022visual," in text


def test_what_the_source_says_beside_the_figures(tmp_path):
    document = json.loads(run("list", "--json", "--cache", tmp_path).stdout)
    assert document["citation"].startswith("@article{guo2022visual,")
    assert document["source"].startswith("https://github.com/open-mmlab/mmclassification/")
    first, last = document["models"][0], document["models"][-1]
    assert (first["pretrain"], last["pretrain"]) == ("From scratch", "ImageNet-21k")
    assert first["config"].endswith("/configs/van/van-b0_8xb128_in1k.py")
    assert last["config"] is None
    for model in (first, last):
        assert "https://github.com/Visual-Attention-Network/VAN-Classification" in model["note"]


def test_a_zoo_that_says_nothing_more_has_one_table(tmp_path):
    text = run("list", "--zoo", "demo", "--cache", tmp_path).stdout
    assert text.count("van_nano.digits") == 1
    assert "pretrain" not in text
    assert "Citation" not in text
