"""``vanbench download``."""

import json
import re

from tests.support.command_line import run


def test_offline_and_not_there(tmp_path):
    outcome = run("download", "van_b0", "--offline", "--cache", tmp_path / "c", code=3)
    assert "van-tiny_8xb128_in1k_20220501-385941af.pth" in outcome.stderr


def test_each_file_has_a_row_and_the_answer_is_last(tmp_path):
    text = run("download", "--all", "--zoo", "demo", "--cache", tmp_path).stdout
    rows = [re.split("  +", line) for line in text.splitlines() if line.startswith("van_")]
    assert rows == [
        ["van_nano.digits", "verified", "424 kB", "van-nano_digits-02d1f972.pth"],
        ["van_micro.digits", "verified", "1.50 MB", "van-micro_digits-a4540e6d.pth"],
    ]
    assert text.splitlines()[-3:] == [
        f"Folder: {tmp_path}",
        "2 of 2 files verified; 1.92 MB in total.",
        f"Next: vanbench verify --all --zoo demo --cache {tmp_path}",
    ]


def test_a_file_that_is_not_there_has_a_row_and_an_error(tmp_path):
    command = ("download", "van_b0", "--offline", "--cache", tmp_path)
    text = run(*command, code=3).stdout
    assert "van_b0.in1k  missing" in text
    assert text.splitlines()[-1] == "0 of 1 file verified, 1 missing."
    (model,) = json.loads(run(*command, "--json", code=3).stdout)["models"]
    assert model["checkpoint"]["status"] == "missing"
    assert model["error"]["kind"] == "missing"
    assert model["error"]["message"] == model["checkpoint"]["reason"]


def test_json(tmp_path):
    document = json.loads(
        run("download", "van_nano", "--zoo", "demo", "--cache", tmp_path, "--json").stdout
    )
    (model,) = document["models"]
    assert model["name"] == "van_nano.digits"
