"""What is known of ImageNet-1k's validation set: the class of each image, the size of the archive.

``ilsvrc2012_val.bin`` holds the label (index into the sorted WordNet ids) of image 1, 2, … 50,000
as little-endian 16-bit integers. ``tools/write_official_labels.py`` wrote it and says from what.
"""

import re
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from tarfile import BLOCKSIZE, RECORDSIZE

from vanbench.data.layouts.images import ImageSet, basename
from vanbench.data.summary import Finding, finding
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k

# Repeated indices that must all agree before an order of classes counts as recognised: by chance,
# each agrees once in a thousand.
ENOUGH_REPEATS = 10


@dataclass(frozen=True)
class Archive:
    """A tar of validation images as it is published: its size in bytes and its MD5."""

    size: int
    md5: str


# ILSVRC2012_img_val.tar. torchvision checks the same MD5 (torchvision/datasets/imagenet.py), and
# taming-transformers the same size (taming/data/imagenet.py).
PUBLISHED = Archive(6_744_924_160, "29b22e2961454d5413ddabcf34fc5622")

_NAME = re.compile(r"ILSVRC2012_val_(\d{8})(?!\d)")


@cache
def _labels() -> "array[int]":
    labels = array("H")
    labels.frombytes((files("vanbench") / "data" / "layouts" / "ilsvrc2012_val.bin").read_bytes())
    if sys.byteorder == "big":
        labels.byteswap()
    return labels


def official_stem(number: int) -> str:
    """The file name, without suffix, of validation image 1, 2, …"""
    return f"ILSVRC2012_val_{number:08d}"


def official_label(name: str) -> int | None:
    """The label that ILSVRC2012 gives a validation image of that name; None for other names.

    >>> imagenet_1k()[official_label("ILSVRC2012_val_00000001.JPEG")]
    'n01751748'
    """
    match = _NAME.match(basename(name))
    number = int(match[1]) if match else 0
    return _labels()[number - 1] if 1 <= number <= VALIDATION_IMAGES else None


def archive_bytes(sizes: Iterable[int]) -> int:
    """The size of a tar that holds files of these sizes and nothing else.

    Each file takes a header block and its content in full blocks. Two blocks of zeros and the
    padding to a full record follow.
    """
    blocks = sum(1 + -(-size // BLOCKSIZE) for size in sizes) + 2
    return -(-blocks * BLOCKSIZE // RECORDSIZE) * RECORDSIZE


def learn_order(indices: Mapping[str, int]) -> dict[int, int] | None:
    """The label that each listed index stands for, learned from images with official names.

    None if there are too few of them to tell, or if they do not agree on any order.
    """
    order: dict[int, int] = {}
    repeats = 0
    for name, index in indices.items():
        label = official_label(name)
        if label is None:
            continue
        if order.setdefault(index, label) != label:
            return None
        repeats += 1
    distinct = len(set(order.values())) == len(order)
    return order if distinct and repeats - len(order) >= ENOUGH_REPEATS else None


def agrees(indices: Mapping[str, int]) -> bool:
    """Whether there are official names among the listed and each has its official label."""
    pairs = [(official_label(name), index) for name, index in indices.items()]
    named = [(label, index) for label, index in pairs if label is not None]
    return bool(named) and all(label == index for label, index in named)


def label_conflicts(images: ImageSet) -> list[Finding]:
    """A finding about the images whose names are ILSVRC2012's and whose class is another one."""
    if images.class_ids != imagenet_1k():
        return []
    pairs = zip(images.names, images.labels, strict=True)
    known = [(name, label, official_label(name)) for name, label in pairs]
    named = sum(official is not None for _, _, official in known)
    wrong = [
        f"{name} is {images.class_ids[label]}, officially {images.class_ids[official]}"
        for name, label, official in known
        if official is not None and official != label
    ]
    text = f"{{n}} of {named:,} images with official names are in another class than in ILSVRC2012"
    return finding("label", wrong, text)
