"""ImageNet-V2, -A, -R, -Sketch and ReaL in small: their structure, with counts that are arranged.

How a model ranks the classes comes from ``arranged.ranking``: Pillow, numpy and the reference model,
and here a filter in plain Python for the sets with 200 classes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.support.arranged import picture, ranking
from tests.support.drawing import official_name
from tests.support.models import TINY, randomized
from vanbench.data.layouts.official import official_label
from vanbench.model.van import VAN
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k

IDS = imagenet_1k()
RIGHT, AMONG5, WRONG = 6, 4, 5
V2 = "imagenetv2-matched-frequency-format-val"


def thousand(seed: int = 0) -> VAN:
    """A tiny VAN with the classes of ImageNet-1k."""
    return randomized(replace(TINY, num_classes=1000), seed)


@cache
def ranked(seed: int) -> list[int]:
    """The labels as ``thousand()`` ranks them for a picture, best first."""
    return ranking(thousand(), picture(seed))


@cache
def encoded(seed: int) -> bytes:
    """The file of a picture."""
    return picture(seed)


@dataclass(frozen=True)
class Placed:
    """A picture and the label that it is given."""

    seed: int
    label: int

    @property
    def encoded(self) -> bytes:
        return encoded(self.seed)


def placed(labels: Sequence[int] = range(1000), cover: bool = False) -> list[Placed]:
    """Pictures of which, among ``labels``, RIGHT first choices are right, and AMONG5 more in five.

    With ``cover`` a wrong picture is added for each label that has none.
    """
    found = []
    for seed in range(RIGHT + AMONG5 + WRONG):
        order = among(labels, seed)
        place = 0 if seed < RIGHT else 1 + seed % 4 if seed < RIGHT + AMONG5 else 5 + seed % 5
        found.append(Placed(seed, order[place]))
    missing = sorted({*labels} - {one.label for one in found}) if cover else []
    for label in missing:
        seed = next(s for s in range(20) if label not in among(labels, s)[:5])
        found.append(Placed(seed, label))
    return found


def among(labels: Sequence[int], seed: int) -> list[int]:
    """The ranking of a picture without the labels that are not among these."""
    some = set(labels)
    return [label for label in ranked(seed) if label in some]


def write(root: Path, pictures: Sequence[Placed], name: Callable[[int, Placed], str]) -> Path:
    """The files of a set; ``name`` has the folder of each picture in it."""
    for number, one in enumerate(pictures):
        path = root / name(number, one)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.encoded)
    return root


def imagenet_v2(root: Path, pictures: Sequence[Placed], folder: str = V2) -> Path:
    """``imagenetv2-matched-frequency-format-val/10/….jpeg``."""
    return write(root / folder, pictures, lambda n, one: f"{one.label}/{n:040x}.jpeg")


def imagenet_a(root: Path, pictures: Sequence[Placed]) -> Path:
    """``imagenet-a/n01498041/0.000116_digital clock _ digital clock_0.865662.jpg``."""
    return write(
        root / "imagenet-a",
        pictures,
        lambda n, one: f"{IDS[one.label]}/0.{n:06}_digital clock _ digital clock_0.865662.jpg",
    )


def imagenet_r(root: Path, pictures: Sequence[Placed]) -> Path:
    """``imagenet-r/n01443537/art_0.jpg``."""
    return write(root / "imagenet-r", pictures, lambda n, one: f"{IDS[one.label]}/art_{n}.jpg")


def imagenet_sketch(root: Path, pictures: Sequence[Placed]) -> Path:
    """``sketch/n01440764/sketch_0.JPEG``."""
    return write(root / "sketch", pictures, lambda n, one: f"{IDS[one.label]}/sketch_{n}.JPEG")


def imagenet(root: Path, seeds: Sequence[int]) -> Path:
    """Class folders with the first validation images' names, which have these pictures in them."""
    names = [official_name(number) for number in range(1, len(seeds) + 1)]
    pictures = [Placed(s, official_label(n) or 0) for s, n in zip(seeds, names, strict=True)]
    return write(root / "val", pictures, lambda n, one: f"{IDS[one.label]}/{names[n]}")


def real_json(root: Path, first: Sequence[Sequence[int]]) -> Path:
    """``real.json`` with the labels of the first validation images; the others have none."""
    path = root / "real.json"
    left = [[] for _ in range(VALIDATION_IMAGES - len(first))]
    path.write_text(json.dumps([*map(list, first), *left]))
    return path
