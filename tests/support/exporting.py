"""What the tests of exported files share: a small VAN, its checkpoint, its protocol."""

from pathlib import Path

import torch
from torch import Tensor

from tests.support.arranged import checkpoint as checkpoint_bytes
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import OPENMMLAB
from vanbench.checkpoints.load import Checkpoint, open_checkpoint
from vanbench.data.preprocess import normalize
from vanbench.model.van import VAN
from vanbench.zoo.entries import EvaluationProtocol

PROTOCOL = EvaluationProtocol(
    resize_short_edge=36,
    center_crop=32,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    classes=tuple(f"class-{i}" for i in range(TINY.num_classes)),
)


def saved(folder: Path, model: VAN | None = None) -> Checkpoint:
    """The opened file of a model."""
    path = folder / "van.pth"
    path.write_bytes(checkpoint_bytes(model or randomized(), OPENMMLAB))
    return open_checkpoint(path)


def pixels(count: int = 5) -> Tensor:
    """Random pixels, uint8 (count, 3, 32, 32)."""
    generator = torch.Generator().manual_seed(7)
    return torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)


def images(count: int = 5) -> Tensor:
    """The same pixels, normalised."""
    return normalize(pixels(count), PROTOCOL)
