"""``vanbench compare-weights``."""

import json
from pathlib import Path

import pytest
import torch

from tests.support.command_line import run
from tests.support.forge import save, tiny_state
from vanbench.checkpoints.diff import compare_files
from vanbench.checkpoints.key_names import OFFICIAL, OPENMMLAB


@pytest.fixture
def pth(tmp_path) -> Path:
    return save({"state_dict": tiny_state(), "meta": {}}, tmp_path / "f.pth", legacy=True)


def test_of_many_differences_the_first_are_shown(pth, tmp_path):
    state = {k: v + 0.25 if v.is_floating_point() else v for k, v in tiny_state().items()}
    other = save(state, tmp_path / "other.pth")
    lines = run("compare-weights", pth, other, code=1).stdout.splitlines()
    more = len(compare_files(pth, other).differences) - 20
    total = f"{more + 20} of {more + 20} tensors"
    assert lines[0].startswith(f"Different networks: {total} differ, by up to 0.25")
    assert lines[21] == f"… and {more} more (-v shows all)"
    assert len(run("compare-weights", pth, other, "-v", code=1).stdout.splitlines()) == more + 21


def test_the_outcome_as_text_and_json(pth, tmp_path):
    done = run("compare-weights", pth, save(tiny_state(OFFICIAL), tmp_path / "same.pth"))
    assert done.stdout.startswith("Same network: ")
    assert done.stdout.endswith("(openmmlab and official naming).\n")

    state = tiny_state(OPENMMLAB)
    state["head.fc.bias"] = state["head.fc.bias"] + 1
    done = run("compare-weights", pth, save(state, tmp_path / "other.pth"), "--json", code=1)
    found = json.loads(done.stdout)
    assert found["same"] is False
    assert [difference["name"] for difference in found["differences"]] == ["head.bias"]

    save({"a": torch.ones(1)}, tmp_path / "none.pth")
    done = run("compare-weights", pth, tmp_path / "none.pth", code=3)
    assert str(tmp_path / "none.pth") in done.stderr


def test_nan_in_json(pth, tmp_path):
    state = tiny_state()
    state["head.fc.bias"][3] = float("nan")
    other = save(state, tmp_path / "nan.pth")
    done = run("compare-weights", pth, other, "--json", code=1)
    assert json.loads(done.stdout)["differences"] == [
        {"name": "head.bias", "what": "NaN or infinite in one of the files only", "largest": None}
    ]
