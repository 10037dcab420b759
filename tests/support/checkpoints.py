"""What tests of checkpoint files share."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import CheckpointError

BOTH = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def same(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts have the same names and values."""
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def refusal(path: Path) -> str:
    """The message with which a file is refused; it must name the file."""
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)
