"""How ImageNet-V2, -A, -R and -Sketch are told from ImageNet-1k, and from each other."""

import shutil
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.other_sets import IDS, Placed, imagenet, imagenet_a, imagenet_r, imagenet_v2
from tests.support.other_sets import imagenet_sketch as sketch
from vanbench.data.layouts.other_sets import V2_FOLDERS, recognise, v2_variant
from vanbench.data.open import open_images
from vanbench.errors import DataError
from vanbench.zoo.other_sets import OTHER_SETS

LABELS = {
    key: [IDS.index(i) for i in OTHER_SETS[key].class_ids] for key in ("imagenet_a", "imagenet_r")
}


def one_of_each(labels):
    return [Placed(0, label) for label in labels]


def test_the_number_of_a_folder_is_the_label_wherever_it_is_listed(tmp_path):
    """As texts, "10" and "100" come before "9"."""
    root = imagenet_v2(tmp_path, one_of_each([9, 10, 100, 0, 999]))
    images = open_images(root, IDS)
    assert (images.other_set, images.layout) == (
        "imagenet_v2_matched_frequency",
        "folders of class numbers",
    )
    folders = {
        name.split("/")[0]: label for name, label in zip(images.names, images.labels, strict=True)
    }
    assert folders == {"0": 0, "9": 9, "10": 10, "100": 100, "999": 999}
    assert images.among is None


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        *zip(V2_FOLDERS, list(OTHER_SETS)[:3], strict=True),
        ("ImageNetV2-matched-frequency", "imagenet_v2_matched_frequency"),
        ("data/imagenet-v2/top_images", "imagenet_v2_top_images"),
        ("imagenetv2-threshold-0.7", "imagenet_v2_threshold"),
        ("imagenetv2", None),
        ("matched-frequency", None),
        ("imagenetv2-top-images/imagenetv2-matched-frequency", None),
        ("imagenetv2-top-images/a/b", None),
    ],
)
def test_the_variant_of_v2_is_in_the_last_parts_of_the_path(place, expected):
    assert v2_variant(Path(place)) == expected


def test_numbers_in_a_folder_of_another_name_are_no_labels(tmp_path):
    root = imagenet_v2(tmp_path, one_of_each([9, 10]), "some-numbers")
    with pytest.raises(DataError, match=r"2 images in 2 folders with numbers \(10, 9, …\)") as why:
        open_images(root, IDS)
    assert V2_FOLDERS[0] in str(why.value)


def test_a_link_gives_v2_its_name(tmp_path):
    root = imagenet_v2(tmp_path, one_of_each([3]), "some-numbers")
    link = tmp_path / V2_FOLDERS[1]
    link.symlink_to(root)
    assert open_images(link, IDS).other_set == "imagenet_v2_threshold"


def test_other_numbers_and_padded_ones_are_left_out_as_a_fault(tmp_path):
    root = imagenet_v2(tmp_path, one_of_each([7]))
    for name in ("007", "1000"):
        shutil.copytree(root / "7", root / name)
    (fault,) = [f for f in open_images(root, IDS).findings if f.fault]
    assert (fault.kind, fault.count) == ("unknown class", 2)


def test_a_tar_of_v2_is_read_in_place(tmp_path):
    members = [(f"{V2_FOLDERS[2]}/{label}/x{label}.jpeg", drawing.jpeg(label)) for label in (9, 10)]
    path = tmp_path / "imagenetv2-top-images.tar"
    drawing.write_tar(path, members)
    images = open_images(path, IDS)
    assert (images.other_set, images.layout) == (
        "imagenet_v2_top_images",
        "tar of folders of class numbers",
    )
    assert dict(zip(images.names, images.labels, strict=True)) == {
        f"{V2_FOLDERS[2]}/9/x9.jpeg": 9,
        f"{V2_FOLDERS[2]}/10/x10.jpeg": 10,
    }


@pytest.mark.parametrize(("key", "make"), [("imagenet_a", imagenet_a), ("imagenet_r", imagenet_r)])
def test_exactly_the_two_hundred_classes_are_a_set(key, make, tmp_path):
    root = make(tmp_path, one_of_each(LABELS[key]))
    images = open_images(root, IDS)
    assert images.other_set == key
    assert list(images.among) == LABELS[key]
    shutil.rmtree(root / IDS[LABELS[key][0]])
    assert open_images(root, IDS).other_set is None


def test_a_tar_of_the_two_hundred_classes_is_the_set(tmp_path):
    ids = OTHER_SETS["imagenet_r"].class_ids
    path = tmp_path / "imagenet-r.tar"
    drawing.write_tar(path, [(f"imagenet-r/{i}/art_0.jpg", drawing.jpeg(0)) for i in ids])
    assert open_images(path, IDS).other_set == "imagenet_r"


def test_the_same_classes_with_official_names_are_a_part_of_imagenet_1k(tmp_path):
    ids = OTHER_SETS["imagenet_r"].class_ids
    root = drawing.class_folders(tmp_path, drawing.pictures(per_class=1, classes=ids))
    assert open_images(root, IDS).other_set is None


def test_sketches_are_told_by_their_names(tmp_path):
    root = sketch(tmp_path, one_of_each([1, 2, 3]))
    assert open_images(root, IDS).other_set == "imagenet_sketch"
    (root / IDS[1] / "other.JPEG").write_bytes(drawing.jpeg(0))
    assert open_images(root, IDS).other_set is None


def test_imagenet_1k_and_other_classes_are_no_other_set(tmp_path):
    assert open_images(imagenet(tmp_path, [0, 1, 2]), IDS).other_set is None
    for name in ("0", "1"):
        (tmp_path / V2_FOLDERS[0] / name).mkdir(parents=True)
        (tmp_path / V2_FOLDERS[0] / name / "sketch_0.JPEG").write_bytes(drawing.jpeg(0))
    images = open_images(tmp_path / V2_FOLDERS[0], ("0", "1"))
    assert (images.other_set, images.layout) == (None, "class folders")
    assert recognise(images) is images
