"""Which label an index or a class id stands for."""

import random
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.layouts.classes import Labels, resolve_classes
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


@pytest.mark.parametrize("first", [0, 1], ids=["counted from 0", "counted from 1"])
def test_a_val_txt_in_the_devkits_order_is_recognised_and_mapped(first, two_of_each, tmp_path):
    """A plain reading would be valid and give an accuracy near zero."""
    drawing.flat(tmp_path, two_of_each)
    order = drawing.devkit_order()
    lines = [f"{p.name} {order.index(p.wnid) + first}\n" for p in two_of_each]
    (tmp_path / "val.txt").write_text("".join(lines))
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in two_of_each]
    assert [f.kind for f in images.findings] == ["class order"]
    assert "another order" in str(images.findings[0])


def test_shuffled_labels_of_official_names_are_a_fault_not_an_order(two_of_each, tmp_path):
    labels = random.Random(1).choices(range(1000), k=len(two_of_each))
    drawing.flat(tmp_path, two_of_each)
    lines = [f"{p.name} {label}\n" for p, label in zip(two_of_each, labels, strict=True)]
    (tmp_path / "val.txt").write_text("".join(lines))
    images = open_images(tmp_path, IDS)
    assert list(images.labels) == labels
    wrong = sum(IDS[label] != p.wnid for p, label in zip(two_of_each, labels, strict=True))
    assert [(f.count, f.fault) for f in images.findings if f.kind == "label"] == [(wrong, True)]


def test_without_official_names_the_order_is_assumed_and_said_so(few, tmp_path):
    tmp_path.joinpath("val.txt").write_text("a.jpg 5\nb.jpg 7\n")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert list(images.labels) == [5, 7]
    assert "this cannot be checked" in str(images.findings[0])


OWN = ("cat", "dog", "owl")
PATH = Path("list.txt")


def test_ids_and_indices():
    assert resolve_classes(PATH, {"a": "owl", "b": "cat"}, OWN).of == {"a": 2, "b": 0}
    labels = resolve_classes(PATH, {"a": "2", "b": "0"}, OWN)
    assert labels.of == {"a": 2, "b": 0}
    assert [f.kind for f in labels.findings] == ["unconfirmed class order"]


def test_class_ids_that_are_numbers_are_ids():
    labels = resolve_classes(PATH, {"a": "2", "b": "0"}, ("2", "1", "0"))
    assert (labels.of, labels.findings) == ({"a": 0, "b": 2}, ())


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"a": "owl", "b": "1"}, "found '1' for b"),
        ({"a": "owl", "b": "fox"}, "found 'fox' for b"),
        ({"a": "1", "b": "-1"}, "found '-1' for b"),
        ({"a": "1.0"}, "found '1.0' for a"),
        ({"a": ""}, "found '' for a"),
        ({"a": "3"}, "found 1 outside, such as 'a 3'"),
    ],
)
def test_classes_that_are_neither_are_refused(written, found):
    with pytest.raises(DataError) as caught:
        resolve_classes(PATH, written, OWN)
    assert found in caught.value.problem
    assert caught.value.where == PATH


def test_a_name_is_found_with_and_without_suffix_and_folders():
    labels = Labels(PATH, {"x.jpg": 1, "y": 2})
    assert [labels.find(name) for name in ("val/x.jpg", "y.JPEG", "y", "z")] == [1, 2, 2, None]
    assert labels.missing(["val/y.JPEG"]) == ["x.jpg"]
