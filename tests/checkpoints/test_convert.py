"""Writing safetensors, and comparing two files whatever their naming."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.support.forge import save, tiny_state
from vanbench.checkpoints.convert import convert
from vanbench.checkpoints.diff import compare_files
from vanbench.checkpoints.key_names import FORMATS, OFFICIAL, OPENMMLAB, TRANSFORMERS
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts
from vanbench.cli.group import main
from vanbench.errors import CheckpointError, VanbenchError
from vanbench.files import sha256_of


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def pth(tmp_path) -> Path:
    return save({"state_dict": tiny_state(), "meta": {}}, tmp_path / "f.pth", legacy=True)


def test_convert_keeps_every_bit_and_says_where_it_is_from(pth, tmp_path):
    out = tmp_path / "f.safetensors"
    converted = convert(pth, out)
    state, written = tiny_state(), read_state_dict(out)
    assert state.keys() == written.keys()
    assert all(torch.equal(state[key], written[key]) for key in state)
    assert converted.sha256 == sha256_of(out)
    assert out.stat().st_mode == pth.stat().st_mode
    metadata = read_state_dicts(out).metadata
    assert metadata == converted.metadata
    assert metadata["source_sha256"] == sha256_of(pth)
    assert (metadata["source_file"], metadata["naming"]) == ("f.pth", "openmmlab")


def test_convert_never_overwrites(pth, tmp_path):
    (tmp_path / "f.safetensors").write_bytes(b"mine")
    with pytest.raises(VanbenchError, match="exists already"):
        convert(pth, tmp_path / "f.safetensors")
    assert (tmp_path / "f.safetensors").read_bytes() == b"mine"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_convert_keeps_the_type_and_nan(tmp_path, dtype):
    state = {
        k: v.to(dtype) if v.is_floating_point() else v
        for k, v in tiny_state().items()
    }  # fmt: skip
    state["head.fc.bias"][0] = float("nan")
    converted = convert(save(state, tmp_path / "f.pth"), tmp_path / "f.safetensors")
    written = read_state_dict(tmp_path / "f.safetensors")
    assert written["head.fc.bias"].dtype == dtype
    assert written["head.fc.bias"][0].isnan()
    assert converted.suspicious == ("head.fc.bias has 1 of 10 values that are NaN or infinite",)


def test_convert_refuses_what_is_no_van(tmp_path):
    state = tiny_state()
    del state["head.fc.bias"]
    path = save(state, tmp_path / "f.pth")
    with pytest.raises(CheckpointError, match=f"{path}.*missing .1.: head.fc.bias"):
        convert(path, tmp_path / "f.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["f.pth"]


def test_the_command_convert(pth, tmp_path):
    out = tmp_path / "f.safetensors"
    done = run("convert", pth, out)
    assert (done.exit_code, done.stdout) == (0, f"{out}  SHA-256 {sha256_of(out)}\n")
    assert run("convert", pth, out).exit_code == 3
    assert run("convert", pth, tmp_path / "f.bin").exit_code == 2
    assert run("convert", tmp_path / "none.pth", tmp_path / "g.safetensors").exit_code == 3


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_the_same_network_in_every_naming(pth, tmp_path, fmt):
    other = save(tiny_state(fmt), tmp_path / "other.pth")
    comparison = compare_files(pth, other)
    assert comparison.same
    assert comparison.formats == ("openmmlab", fmt.name)
    assert comparison.equal == sum("num_batches" not in key for key in tiny_state())


def test_what_no_forward_pass_reads_does_not_count(pth, tmp_path):
    state = tiny_state(TRANSFORMERS)
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    state |= {"van.layernorm.weight": torch.rand(20), "van.layernorm.bias": torch.rand(20)}
    assert compare_files(pth, save(state, tmp_path / "other.pth")).same


def test_every_difference_is_named(pth, tmp_path):
    state = tiny_state(OFFICIAL)
    state["head.bias"] = state["head.bias"] + torch.tensor([0.0] * 9 + [0.5])
    state["norm1.weight"] = state["norm1.weight"][:3]
    state["norm2.weight"] = state["norm2.weight"].double()
    del state["norm3.weight"]
    state["extra"] = torch.ones(1)
    comparison = compare_files(pth, save(state, tmp_path / "other.pth"))
    found = {difference.name: difference.what for difference in comparison.differences}
    assert found == {
        "head.bias": "differs by up to 0.5",
        "stages.0.norm.weight": "shape (8,) and (3,)",
        "stages.1.norm.weight": "the same values as torch.float32 and torch.float64",
        "stages.2.norm.weight": "only in the first file",
        "extra": "only in the second file",
    }


def test_nan_is_equal_to_nan_and_to_nothing_else(tmp_path):
    state = tiny_state()
    state["head.fc.bias"][3] = float("nan")
    path = save(state, tmp_path / "nan.pth")
    assert compare_files(path, save(state, tmp_path / "copy.pth")).same
    state["head.fc.bias"][3] = 0
    done = run("compare-weights", path, save(state, tmp_path / "zero.pth"), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["differences"] == [
        {"name": "head.bias", "what": "NaN or infinite in one of the files only", "largest": None}
    ]


def test_of_many_differences_the_first_are_shown(pth, tmp_path):
    state = {k: v + 0.25 if v.is_floating_point() else v for k, v in tiny_state().items()}
    other = save(state, tmp_path / "other.pth")
    lines = run("compare-weights", pth, other).stdout.splitlines()
    more = len(compare_files(pth, other).differences) - 20
    assert lines[20] == f"… and {more} more (-v shows all)"
    assert lines[21].startswith(
        f"different networks: 0 tensors equal, {more + 20} different, by up"
    )
    assert len(run("compare-weights", pth, other, "-v").stdout.splitlines()) == more + 21


def test_the_command_compare_weights(pth, tmp_path):
    done = run("compare-weights", pth, save(tiny_state(OFFICIAL), tmp_path / "same.pth"))
    assert done.exit_code == 0
    assert done.stdout.startswith("the same network: ")
    assert done.stdout.endswith("(openmmlab and official naming)\n")

    state = tiny_state(OPENMMLAB)
    state["head.fc.bias"] = state["head.fc.bias"] + 1
    done = run("compare-weights", pth, save(state, tmp_path / "other.pth"), "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["same"] is False
    assert [difference["name"] for difference in found["differences"]] == ["head.bias"]

    save({"a": torch.ones(1)}, tmp_path / "none.pth")
    done = run("compare-weights", pth, tmp_path / "none.pth")
    assert done.exit_code == 3
    assert str(tmp_path / "none.pth") in done.stderr
