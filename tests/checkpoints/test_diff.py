"""Two files compared tensor by tensor, whatever their naming."""

from pathlib import Path

import pytest
import torch

from tests.support.forge import save, tiny_state
from vanbench.checkpoints.diff import compare_files
from vanbench.checkpoints.key_names import FORMATS, OFFICIAL, TRANSFORMERS

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def pth(tmp_path) -> Path:
    return save({"state_dict": tiny_state(), "meta": {}}, tmp_path / "f.pth", legacy=True)


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
        "stages.0.norm.weight": "shape 8 and 3",
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
    (difference,) = compare_files(path, save(state, tmp_path / "zero.pth")).differences
    assert difference.name == "head.bias"
    assert difference.what == "NaN or infinite in one of the files only"
    assert difference.largest is None


def test_which_weights_were_compared():
    comparison = compare_files(FIXTURES / "mmengine.pth", FIXTURES / "mmengine-ema.pth")
    assert comparison.choices[0] is None
    assert str(comparison.choices[1]).startswith("averaged (EMA) weights from 'state_dict'")
    assert not comparison.same
