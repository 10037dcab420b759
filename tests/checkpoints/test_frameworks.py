"""Training checkpoints as the frameworks themselves wrote them (tools/make_checkpoint_fixtures.py).

The digests in fixtures.json are of the weights that each framework had in memory.
"""

import json
from pathlib import Path

import pytest
import torch

from tests.support.forge import digest
from vanbench.checkpoints.load import open_checkpoint
from vanbench.checkpoints.state_dict import read_state_dicts
from vanbench.errors import CheckpointError

FIXTURES = Path(__file__).parents[1] / "fixtures"
DIGESTS = json.loads((FIXTURES / "fixtures.json").read_text())["digests"]
TAKEN = dict.fromkeys(DIGESTS, "plain") | {
    "mmengine-ema.pth": "ema",  # both frameworks keep the averaged weights under state_dict,
    "lightning-ema.ckpt": "ema",  # so that inference loads them
}
WITH_EMA = [name for name, digests in DIGESTS.items() if "ema" in digests]


def test_every_file_of_the_folder_is_described():
    assert {path.name for path in FIXTURES.iterdir() if path.is_file()} == {
        *DIGESTS,
        "fixtures.json",
    }


@pytest.mark.parametrize("name", DIGESTS)
def test_the_weights_are_read_exactly(name):
    found = read_state_dicts(FIXTURES / name)
    assert found.weights == TAKEN[name]
    assert digest(found.state) == DIGESTS[name][found.weights]


@pytest.mark.parametrize("name", WITH_EMA)
@pytest.mark.parametrize("weights", ["plain", "ema"])
def test_either_kind_can_be_asked_for(name, weights):
    found = read_state_dicts(FIXTURES / name, weights)
    assert found.weights == weights
    assert digest(found.state) == DIGESTS[name][weights]
    assert found.other is not None
    assert digest(found.other) == DIGESTS[name]["plain" if weights == "ema" else "ema"]


@pytest.mark.parametrize("name", DIGESTS)
def test_each_is_a_network_in_float32(name):
    checkpoint = open_checkpoint(FIXTURES / name)
    assert checkpoint.architecture.embed_dims == (2, 2, 4, 4)
    logits = checkpoint.model(torch.zeros(1, 3, 32, 32))
    assert (logits.dtype, tuple(logits.shape)) == (torch.float32, (1, 3))


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("mmengine.pth", None),
        (
            "mmengine-ema.pth",
            "averaged (EMA) weights from 'state_dict'; plain weights are in 'ema_state_dict'",
        ),
        (
            "lightning-ema.ckpt",
            "averaged (EMA) weights from 'state_dict'; plain weights are in 'current_model_state'",
        ),
        (
            "timm.pth.tar",
            "plain weights from 'state_dict'; averaged (EMA) weights are in 'state_dict_ema'",
        ),
    ],
)
def test_what_is_taken_is_said(name, choice):
    assert open_checkpoint(FIXTURES / name).choice == choice


def test_averaged_weights_that_are_not_there():
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(FIXTURES / "mmengine.pth", weights="ema")
    assert caught.value.problem == ("expected averaged (EMA) weights, found plain weights only")
    assert caught.value.where == FIXTURES / "mmengine.pth"
