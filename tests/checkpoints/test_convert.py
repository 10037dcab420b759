"""Checkpoints as safetensors: every bit, with the origin."""

import os
from pathlib import Path

import pytest
import torch

from tests.support.forge import digest, save, tiny_state
from vanbench.checkpoints.convert import convert
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts
from vanbench.errors import CheckpointError, VanbenchError
from vanbench.files import sha256_of


@pytest.fixture
def pth(tmp_path) -> Path:
    return save({"state_dict": tiny_state(), "meta": {}}, tmp_path / "f.pth", legacy=True)


FIXTURES = Path(__file__).parents[1] / "fixtures"


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


def test_the_same_source_gives_the_same_file(pth, tmp_path):
    hashes = {convert(pth, tmp_path / f"{number}.safetensors").sha256 for number in range(5)}
    assert len(hashes) == 1


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_source_whose_name_is_not_utf_8(pth, tmp_path):
    try:
        source = pth.rename(tmp_path / os.fsdecode(b"f\xff.pth"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    converted = convert(source, tmp_path / "f.safetensors")
    assert converted.metadata["source_file"] == "f\\xff.pth"


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


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
def test_the_written_file_is_not_open_or_mapped_when_it_gets_its_name(pth, tmp_path, monkeypatch):
    """Windows does not rename a file that is."""
    maps, replace = Path("/proc/self/maps"), os.replace

    def checked(source, target):
        assert str(source) not in maps.read_text()
        assert all(str(source) != str(Path(f).readlink()) for f in descriptors())
        replace(source, target)

    def descriptors():
        return [f for f in Path("/proc/self/fd").iterdir() if f.is_symlink() and f.exists()]

    monkeypatch.setattr(os, "replace", checked)
    convert(pth, tmp_path / "f.safetensors")


def test_averaged_weights_are_not_taken_for_plain_ones_afterwards(tmp_path):
    """mmengine and Lightning keep them under state_dict."""
    source, out = FIXTURES / "lightning-ema.ckpt", tmp_path / "f.safetensors"
    converted = convert(source, out)
    assert converted.metadata["weights"] == "ema"
    assert str(converted.choice).startswith("averaged (EMA) weights from 'state_dict'")
    written = read_state_dicts(out)
    assert (written.weights, written.choice) == ("ema", "averaged (EMA) weights")
    assert digest(written.state) == digest(read_state_dict(source))
    with pytest.raises(CheckpointError, match="expected plain weights, found averaged"):
        read_state_dicts(out, "plain")


def test_a_folder_that_cannot_be_written(pth, tmp_path):
    with pytest.raises(VanbenchError) as caught:
        convert(pth, tmp_path / "none" / "f.safetensors")
    assert caught.value.where == tmp_path / "none" / "f.safetensors"
    assert "cannot be written: No such file" in caught.value.problem
