"""When one of the other test sets is whole: its number of images, in each of its classes."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import drawing
from vanbench.data.inspect import inspect
from vanbench.data.layouts.images import ImageSet
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.other_sets import OTHER_SETS

IDS = imagenet_1k()
SMALL = drawing.jpeg(1, size=(4, 4))


@dataclass(frozen=True)
class Numbered:
    """A source of distinct small JPEGs."""

    def read(self, index):
        return SMALL + index.to_bytes(4, "big")

    def position(self, index):
        return index


def in_memory(key, count):
    """``count`` images, as evenly over the classes of a set as their number allows."""
    some = OTHER_SETS[key].class_ids
    labels = range(1000) if some is None else [IDS.index(i) for i in some]
    chosen = sorted(labels[i % len(labels)] for i in range(count))
    names = [f"{n}.jpg" for n in range(count)]
    return ImageSet("memory", Path("memory"), IDS, names, chosen, Numbered(), (), key)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "imagenet_v2_top_images",
            "10,000 images, 10 in each of the 1,000 classes of ImageNet-V2 top-images",
        ),
        ("imagenet_a", "7,500 images, in 200 of 200 classes of ImageNet-A"),
        ("imagenet_r", "30,000 images, in 200 of 200 classes of ImageNet-R"),
        ("imagenet_sketch", "50,889 images, in 1,000 of 1,000 classes of ImageNet-Sketch"),
    ],
)
def test_the_number_of_images_that_the_authors_name_is_official(key, sentence):
    found = inspect(in_memory(key, OTHER_SETS[key].images))
    assert found.sentence == f"official: {sentence}, without a fault"
    assert (found.other_set, found.whole, found.problems) == (key, True, ())
    assert found.summary(found.images, {}).other_set == key
    assert found.as_json()["other_set"] == key


@pytest.mark.parametrize("key", ["imagenet_a", "imagenet_v2_threshold"])
def test_one_image_less_is_a_subset_and_one_more_is_a_fault(key):
    n = OTHER_SETS[key].images
    assert inspect(in_memory(key, n - 1)).verdict == "subset"
    found = inspect(in_memory(key, n + 1))
    assert found.verdict == "altered"
    title = OTHER_SETS[key].title
    assert f"{n + 1:,} images, where {title} has {n:,}" in [f.message for f in found.faults]


def test_a_class_of_v2_has_ten_images():
    images = in_memory("imagenet_v2_threshold", 10_000)
    labels = list(images.labels)
    labels[0] = labels[-1]  # 9 of the first class, 11 of the last
    found = inspect(replace(images, labels=labels))
    assert found.verdict == "altered"
    assert {p.kind: (p.count, p.examples) for p in found.problems} == {
        "few images": (1, (f"{IDS[0]}: 9",)),
        "many images": (1, (f"{IDS[999]}: 11",)),
    }


def test_a_class_without_images_makes_a_subset():
    images = in_memory("imagenet_a", 7_500)
    first = images.labels[0]
    labels = [images.labels[-1] if label == first else label for label in images.labels]
    found = inspect(replace(images, labels=labels))
    assert (found.verdict, found.classes, found.of_classes) == ("subset", 199, 200)
    (note,) = found.problems
    assert (note.message, note.fault) == ("1 of 200 classes has no images", False)
    assert Counter(labels).total() == 7_500


def test_without_a_set_a_class_has_fifty_images():
    found = inspect(replace(in_memory("imagenet_a", 200), other_set=None))
    assert {p.kind for p in found.problems} == {"few images", "missing class"}
    assert found.of_classes == 1000
