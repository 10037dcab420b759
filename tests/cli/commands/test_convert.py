"""``vanbench convert``."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, run
from tests.support.forge import save, tiny_state
from vanbench.cli.phrases import size_of
from vanbench.files import sha256_of


@pytest.fixture
def pth(tmp_path) -> Path:
    return save({"state_dict": tiny_state(), "meta": {}}, tmp_path / "f.pth", legacy=True)


def test_the_file_and_its_hash_are_printed(pth, tmp_path):
    out = tmp_path / "f.safetensors"
    lines = run("convert", pth, out).stdout.splitlines()
    assert lines[:2] == [f"File: {out}", f"SHA-256: {sha256_of(out)}"]
    tensors, size = len(tiny_state()), size_of(out.stat().st_size)
    assert lines[2] == f"{tensors} tensors with openmmlab naming, {size}."
    assert lines[3] == f"Next: vanbench validate --checkpoint {out} --data PATH"


def test_json(pth, tmp_path):
    out = tmp_path / "f.safetensors"
    document = json.loads(run("convert", pth, out, "--json").stdout)
    assert document["sha256"] == sha256_of(out)
    assert document["bytes"] == out.stat().st_size
    assert document["metadata"]["source_file"] == pth.name


def test_failures(pth, tmp_path):
    out = tmp_path / "f.safetensors"
    out.write_bytes(b"")
    assert "exists already" in run("convert", pth, out, code=3).stderr
    run("convert", pth, tmp_path / "f.bin", code=2)
    run("convert", tmp_path / "none.pth", tmp_path / "g.safetensors", code=3)


def test_which_weights_are_written_is_said(tmp_path):
    source = ROOT / "tests/fixtures/mmengine-ema.pth"
    outcome = run("convert", source, tmp_path / "f.safetensors")
    assert f"{source}: averaged (EMA) weights from 'state_dict'; plain weights" in outcome.stderr
