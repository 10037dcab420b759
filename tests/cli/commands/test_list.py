"""``vanbench list``."""

import errno
import json
import re

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
    (row,) = [line for line in text.splitlines() if "van_b0.in1k" in line]
    assert re.split("  +", row) == [
        "van_b0.in1k", "32 64 160 256", "3 3 5 2", "4.11", "0.88", "75.41", "93.02",
        "From scratch", "no",
    ]  # fmt: skip
    *_, source, models, step = text.splitlines()
    assert source.startswith("Source: https://github.com/open-mmlab/")
    assert models == "8 models; 0 of 8 files in the cache."
    assert step == f"Next: vanbench download --all --cache {tmp_path}"


def test_verbose_adds_what_the_source_says(tmp_path):
    text = run("list", "-v", "--cache", tmp_path).stdout
    _, training = [line for line in text.splitlines() if "van_b0.in1k" in line]
    assert training.split() == ["van_b0.in1k", "van-b0_8xb128_in1k.py", "[1]"]
    assert "[1] Converted from the official repo" in text
    assert "@article{guo2022visual," in text
    assert text.endswith("--all --cache " + str(tmp_path) + "\n")


def test_a_cache_that_cannot_be_read_is_in_each_row(tmp_path, monkeypatch):
    def fail(*_):
        raise PermissionError(errno.EACCES, "Permission denied", "cache")

    monkeypatch.setattr("vanbench.download.cache.in_cache", fail)
    outcome = run("list", "--json", "--zoo", "demo", "--cache", tmp_path, code=3)
    for model in json.loads(outcome.stdout)["models"]:
        assert model["in_cache"] is None
        assert model["error"]["message"].startswith("cache: Permission denied.")
    assert "unknown" in run("list", "--zoo", "demo", "--cache", tmp_path, code=3).stdout


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
    text = run("list", "--zoo", "demo", "-v", "--cache", tmp_path).stdout
    assert text.count("van_nano.digits") == 1
    assert "pretrain" not in text
    assert "Citation" not in text
    assert "vanbench download --all --zoo demo" in text


def test_when_all_files_are_there_the_next_step_is_to_verify_them(tmp_path):
    run("download", "--all", "--zoo", "demo", "--cache", tmp_path)
    text = run("list", "--zoo", "demo", "--cache", tmp_path).stdout
    assert "2 models; 2 of 2 files in the cache." in text
    assert f"Next: vanbench verify --all --zoo demo --cache {tmp_path}" in text
