"""Tensors are those that torch's own reader makes of the same file."""

import io
import zipfile
from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import BOTH, refusal, same
from tests.support.forge import as_written, save, tiny_state
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts

FLAT = torch.rand(40)
STATE = {
    **tiny_state(),
    "first": FLAT[:8].view(2, 4),
    "second": FLAT[8:20].view(4, 3).t(),
    "every other": FLAT[20:30:2],
    "none": torch.zeros(0, 3),
    "scalar": torch.tensor(1.5),
    "half": torch.rand(5).half(),
    "brain": torch.rand(5).bfloat16(),
    "double": torch.rand(3).double(),
    "trained": torch.nn.Parameter(torch.rand(3)),
    "channels last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
}


@BOTH
@pytest.mark.parametrize("mapped", [True, False])
def test_the_same_tensors_as_torch_reads(tmp_path, legacy, mapped):
    path = save(STATE, tmp_path / "f.pth", legacy=legacy)
    found, expected = read_state_dicts(path, mapped=mapped).state, as_written(path)
    assert same(found, expected)
    assert {k: (v.dtype, v.stride()) for k, v in found.items()} == {
        k: (v.dtype, v.stride()) for k, v in expected.items()
    }


def swapped(path: Path, state) -> Path:
    """The archive as a machine with the other order of bytes would have written it."""
    source = io.BytesIO(save(state, path).read_bytes())
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("byteorder"):
                data = b"big"
            elif "/data/" in name:
                data = b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
            new.writestr(name, data)
    return path


@pytest.mark.parametrize("mapped", [True, False])
def test_the_order_of_bytes_is_that_of_the_archive(tmp_path, mapped):
    state = {"a": torch.rand(2, 3), "b": torch.rand(7)}
    path = swapped(tmp_path / "f.pth", state)
    assert same(read_state_dicts(path, mapped=mapped).state, state)
    assert same(as_written(path), state)


def test_an_unknown_order_of_bytes(tmp_path):
    path = swapped(tmp_path / "f.pth", {"a": torch.rand(2)})
    path.write_bytes(path.read_bytes().replace(b"big", b"bag"))
    assert "CRC-32" in refusal(path)


def test_a_number_at_an_odd_place_is_copied(tmp_path):
    """Not mapped where it lies: some machines cannot read it there."""
    source = io.BytesIO(save({"a": torch.rand(3)}, tmp_path / "x.pth").read_bytes())
    places = set()
    for length in range(1, 5):
        path = tmp_path / f"{length}.pth"
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr("a" * length + name[1:], old.read(name))
        found = read_state_dict(path)["a"]
        places.add(found.data_ptr() % 4)
        assert torch.equal(found, as_written(path)["a"])
    assert places == {0}


def test_what_is_written_to_a_mapped_tensor_stays_out_of_the_file(tmp_path):
    path = save({"a": torch.rand(1000)}, tmp_path / "f.pth")
    before = path.read_bytes()
    read_state_dict(path)["a"].zero_()
    assert path.read_bytes() == before


@BOTH
def test_tensors_of_a_view_with_a_negative_bit_are_refused(tmp_path, legacy):
    """torch would change their values after reading them."""
    negative = torch.complex(torch.rand(3), torch.rand(3)).conj().imag
    assert negative.is_neg()
    message = refusal(save({"a": negative}, tmp_path / "f.pth", legacy=legacy))
    assert "expected" in message
