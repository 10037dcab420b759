"""``vanbench download``."""

import json

from tests.support.command_line import run


def test_offline_and_not_there(tmp_path):
    outcome = run("download", "van_b0", "--offline", "--cache", tmp_path / "c", code=3)
    assert "van-tiny_8xb128_in1k_20220501-385941af.pth" in outcome.stderr


def test_each_file_has_a_line(tmp_path):
    lines = run("download", "--all", "--zoo", "demo", "--cache", tmp_path).stdout.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("van_nano.digits", "van_micro.digits"), strict=True):
        assert line.startswith(f"{name}  verified  ")


def test_json(tmp_path):
    document = json.loads(
        run("download", "van_nano", "--zoo", "demo", "--cache", tmp_path, "--json").stdout
    )
    (model,) = document["models"]
    assert model["name"] == "van_nano.digits"
