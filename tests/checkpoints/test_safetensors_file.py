"""Safetensors files: read as the library reads them, and refused where the header is wrong."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.checkpoints import refusal, same
from tests.support.forge import forge_safetensors
from vanbench.checkpoints import safetensors_file
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts


def entry(start=0, stop=4, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize("mapped", [True, False])
def test_the_same_tensors_as_the_library_reads(tmp_path, mapped):
    state = {
        "a": torch.rand(2, 3),
        "none": torch.zeros(0, 4),
        "half": torch.rand(3).half(),
        "scalar": torch.tensor(2.0),
        "brain": torch.rand(3, 1).bfloat16(),
        "double": torch.rand(2).double(),
    }
    path = tmp_path / "f.safetensors"
    save_file(state, path)
    found = read_state_dicts(path, mapped=mapped).state
    assert same(found, load_file(path))
    assert {k: v.dtype for k, v in found.items()} == {k: v.dtype for k, v in state.items()}


DEEP = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
TWICE = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],' + (
    '"data_offsets":[0,4]}}'
)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (DEEP, "nested more than"),
        (TWICE, "twice"),
        ('{"a":' + "9" * 5000 + "}", "a number of more than"),
        ("[]", "the bytes"),
        ({"a": entry(), "b": entry()}, "does not begin where"),
        ({"a": entry(4, 8)}, "does not begin where"),
        ({"a": entry(0, 3)}, "4 bytes, in a place"),
        ({"a": entry(0, -4)}, "not those of a tensor"),
        ({"a": entry(shape=(1,) * 100_000)}, "not those of a tensor"),
        ({"a": entry(0, 0, shape=(0, 1 << 61))}, "does not hold"),
        ({"a": entry(shape=(True,))}, "not those of a tensor"),
        ({"a": entry(shape=(1 << 200,))}, "not those of a tensor"),
        ({"a": entry(dtype="F8_E4M3")}, "of the type 'F8_E4M3'"),
        ({"a": entry(dtype=["F32"])}, "of the type"),
        ({"a": [1]}, "no tensor is described"),
        ({"a": entry(), "__metadata__": {"x": 1}}, "metadata that are not text"),
        ({"a": entry(), "__metadata__": "x"}, "metadata that are not text"),
        ({}, "tensors of 0 bytes"),
    ],
)
def test_a_wrong_header_is_described(tmp_path, header, words):
    message = refusal(forge_safetensors(tmp_path / "f.safetensors", header, bytes(4)))
    assert words in message
    assert len(message) < 1000


def test_the_size_of_the_header_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors_file, "MOST_HEADER", 1000)
    header = {f"a{i}": entry(0, 0, (0,)) for i in range(100)}
    path = forge_safetensors(tmp_path / "f.safetensors", header)
    assert "a header of" in refusal(path)
    monkeypatch.setattr(safetensors_file, "MOST_HEADER", 1 << 20)
    assert len(read_state_dict(path)) == 100
