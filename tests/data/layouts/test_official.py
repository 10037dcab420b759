"""What is known of the official validation set: labels by name, and the size of the archive."""

import random
from collections import Counter

import pytest

from tests.support.drawing import imagenet_1k
from vanbench.data.layouts.official import (
    agrees,
    learn_order,
    official_label,
    official_stem,
)

NAMES = [official_stem(number) for number in range(1, 50_001)]


def test_fifty_images_of_each_class_have_a_label():
    assert Counter(map(official_label, NAMES)) == dict.fromkeys(range(1000), 50)


@pytest.mark.parametrize(
    "name",
    [
        "ILSVRC2012_val_00000001",
        "val/ILSVRC2012_val_00000001.JPEG",
        r"val\ILSVRC2012_val_00000001.JPEG",
        "shard.tar/ILSVRC2012_val_00000001.jpg",
        "ILSVRC2012_val_00000001_n01751748.JPEG",
    ],
)
def test_names_of_the_first_image(name):
    assert imagenet_1k()[official_label(name)] == "n01751748"


@pytest.mark.parametrize(
    "name",
    ["ILSVRC2012_val_00000000.JPEG", "ILSVRC2012_val_00050001.JPEG", "ILSVRC2012_val_000000010",
     "ILSVRC2012_test_00000001.JPEG", "x_ILSVRC2012_val_00000001.JPEG", ""],
)  # fmt: skip
def test_other_names_have_no_label(name):
    assert official_label(name) is None


def test_an_order_is_learned_from_repeated_indices_that_agree():
    order = random.Random(3).sample(range(1000), 1000)
    indices = {name: order[official_label(name)] for name in NAMES[:2000]}
    assert learn_order(indices) == {order[label]: label for label in map(official_label, indices)}
    assert not agrees(indices)
    assert learn_order(dict(list(indices.items())[:50])) is None
    assert learn_order(indices | {NAMES[0]: indices[NAMES[1]]}) is None
    assert learn_order({f"x{name}": index for name, index in indices.items()}) is None
    assert agrees({name: official_label(name) for name in NAMES[:20]})
