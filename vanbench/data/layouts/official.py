"""What is known of ImageNet-1k's validation images by their names: the class of each.

``ilsvrc2012_val.bin`` holds the label (index into the sorted WordNet ids) of image 1, 2, … 50,000
as little-endian 16-bit integers. ``tools/write_official_labels.py`` wrote it and says from what.
"""

import re
import sys
from array import array
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from vanbench.data.layouts.images import ImageSet, basename
from vanbench.data.summary import Finding, finding
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k

# Repeated indices that must all agree before an order of classes counts as recognised: by chance,
# each agrees once in a thousand.
ENOUGH_REPEATS = 10


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


def official_number(name: str) -> int | None:
    """Which validation image, 1, 2, … 50,000, a file is by its name; None for other names."""
    match = _NAME.match(basename(name))
    number = int(match[1]) if match else 0
    return number if 1 <= number <= VALIDATION_IMAGES else None


def official_label(name: str) -> int | None:
    """The label that ILSVRC2012 gives a validation image of that name; None for other names.

    >>> imagenet_1k()[official_label("ILSVRC2012_val_00000001.JPEG")]
    'n01751748'
    """
    number = official_number(name)
    return None if number is None else _labels()[number - 1]


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
    number = f"{{n}} of {named:,} images with official names"
    text = f"{number} {{is|are}} in another class than in ILSVRC2012"
    return finding("label", wrong, text)
