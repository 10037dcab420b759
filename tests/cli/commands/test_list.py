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
    (row,) = [line for line in text.splitlines() if "van_b0.in1k" in line]
    for cell in ("32 64 160 256", "3 3 5 2", "4.11", "0.88", "75.41", "93.02", "not in the cache"):
        assert cell in row
