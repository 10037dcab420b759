"""What the benchmarks work on: generated photographs in class folders, and checkpoints."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.support.drawing import Picture, class_folders, official_name
from vanbench.data.layouts.official import official_label
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights
from vanbench.zoo.class_ids import imagenet_1k

SIZE = (500, 375)  # the most frequent size in ILSVRC2012


def photograph(seed: int) -> bytes:
    """A JPEG of 500×375 and somewhat over 100 KB: soft shapes under fine grain."""
    generator = np.random.default_rng(seed)
    shapes = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    grain = generator.normal(0, 22, (*SIZE[::-1], 3))
    pixels = np.asarray(shapes.resize(SIZE, Image.Resampling.BICUBIC)) + grain
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def official_class(name: str) -> str:
    """The class id of an official file name."""
    label = official_label(name)
    assert label is not None, name
    return imagenet_1k()[label]


def photographs(root: Path, count: int) -> Path:
    """Generated images with the names of the first ones of ILSVRC2012, in class folders."""
    pictures = []
    for number in range(1, count + 1):
        name = official_name(number)
        pictures.append(Picture(name, official_class(name), photograph(number)))
    return class_folders(root, pictures)


def checkpoint(folder: Path, name: str) -> Path:
    """A file with random weights of a published architecture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pth"
    torch.save(random_weights(ARCHITECTURES[name]).state_dict(), path)
    return path
