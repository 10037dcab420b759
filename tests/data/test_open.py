"""Every layout gives the same images, labels and order; every wrong one gives a message."""

import multiprocessing
import pickle
import shutil

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k, official_name
from vanbench.data.layouts.images import basename
from vanbench.data.layouts.official import official_label
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


def stem(name):
    return basename(name).rpartition(".")[0]


@pytest.mark.parametrize("layout", drawing.LAYOUTS)
def test_every_layout_has_the_same_images_labels_and_order(layout, two_of_each, tmp_path):
    images = open_images(drawing.LAYOUTS[layout](tmp_path, two_of_each), IDS)
    assert images.layout == layout
    assert [stem(name) for name in images.names] == [stem(p.name) for p in two_of_each]
    assert [IDS[label] for label in images.labels] == [p.wnid for p in two_of_each]
    assert all(images.read(i) == p.encoded for i, p in enumerate(two_of_each))


@pytest.mark.parametrize("layout", drawing.LAYOUTS)
def test_a_subset_of_the_classes_keeps_its_labels_among_the_thousand(layout, few, tmp_path):
    images = open_images(drawing.LAYOUTS[layout](tmp_path, few), IDS)
    assert set(images.labels) == {0, 217, 482, 999}
    assert [images.labels[i] for i in range(len(few))] == [official_label(p.name) for p in few]


@pytest.mark.parametrize("layout", drawing.LAYOUTS)
def test_opening_writes_nothing(layout, few, tmp_path):
    root = drawing.LAYOUTS[layout](tmp_path, few)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    open_images(root, IDS).read(0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def read_all(images):
    return [images.read(i) for i in range(len(images))]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_processes_read_at_random(start, few, tmp_path):
    """Every source survives pickling and a fork after its first use."""
    wanted = [p.encoded for p in few]
    sets = [
        open_images(make(tmp_path / str(i), few), IDS)
        for i, make in enumerate(drawing.LAYOUTS.values())
    ]
    assert all(images.read(3) == wanted[3] for images in sets)
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.map(read_all, sets) == [wanted] * len(sets)


@pytest.mark.parametrize(
    "inside", ["val", "validation", "ILSVRC2012/val", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val"]
)
def test_class_folders_are_found_under_the_names_people_use(inside, few, tmp_path):
    drawing.class_folders(tmp_path / inside, few)
    (tmp_path / "train" / "n01440764").mkdir(parents=True)
    assert len(open_images(tmp_path, IDS)) == len(few)


def nothing(root, few):
    root.mkdir()


def unlabelled(root, few):
    drawing.flat(root, few)


def train_only(root, few):
    drawing.class_folders(root / "train", few)


def training_set(root, few):
    for i in range(60):
        path = root / "n01440764" / f"n01440764_{i}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(few[0].encoded)


def other_ids(root, few):
    (root / "n00000001").mkdir(parents=True)
    (root / "n00000001" / "x.JPEG").write_bytes(few[0].encoded)


def class_names(root, few):
    (root / "tench").mkdir(parents=True)
    (root / "tench" / "x.JPEG").write_bytes(few[0].encoded)


def empty_class_folders(root, few):
    (root / "n01440764").mkdir(parents=True)


def tar_without_labels(root, few):
    drawing.original_tar(root, few)
    (root / "ILSVRC2012_devkit_t12.tar.gz").unlink()


def cut_tar(root, few):
    path = drawing.original_tar(root, few) / "ILSVRC2012_img_val.tar"
    path.write_bytes(path.read_bytes()[:9000])


def cut_devkit(root, few):
    path = drawing.original_tar(root, few) / "ILSVRC2012_devkit_t12.tar.gz"
    path.write_bytes(path.read_bytes()[:9000])


def cut_parquet(root, few):
    path = next(drawing.parquet(root, few).rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-100])


def line_numbers(root, few):
    drawing.flat(root, few)
    lines = [f"{official_name(n)} {n}\n" for n in range(1, 2001)]
    (root / "val.txt").write_text("".join(lines))


def ids_from_one(root, few):
    root.mkdir()
    (root / "a.jpg").write_bytes(few[0].encoded)
    (root / "val.txt").write_text("a.jpg 1000\n")


def broken_line(root, few):
    drawing.flat(root, few)
    (root / "val.txt").write_text(f"{few[0].name}\n")


def two_classes(root, few):
    drawing.flat(root, few)
    (root / "val.txt").write_text(f"{few[0].name} 1\n{few[0].name} 2\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "found an empty folder"),
        (unlabelled, "found 12 images in one folder without labels .*ILSVRC2012_val_.*val.txt"),
        (train_only, "found a train folder and no val folder. Give the folder"),
        (training_set, "found 60 images with the names of the training set"),
        (other_ids, "1 images in 1 folders with WordNet ids that are not among .*n00000001"),
        (class_names, r"1 images in 1 folders with other names \(tench, …\). Rename"),
        (empty_class_folders, "no images: 1 folders"),
        (tar_without_labels, "ILSVRC2012_img_val.tar and no labels .* devkit"),
        (cut_tar, "expected a complete, uncompressed tar archive.* Copy or download it again"),
        (cut_devkit, "the devkit cannot be read"),
        (cut_parquet, "not a complete Parquet file: .* Copy or download it again"),
        (line_numbers, "found 1,001 outside.*line numbers"),
        (ids_from_one, "found 1 outside, such as 'a.jpg 1000'. These indices count from 1"),
        (broken_line, "line 1: expected a file name and its class index"),
        (two_classes, "line 2: .* listed twice"),
    ],
)
def test_a_path_without_a_data_set_gets_one_message(make, message, few, tmp_path):
    make(tmp_path / "data", few)
    with pytest.raises(DataError, match=message) as caught:
        open_images(tmp_path / "data", IDS)
    assert str(tmp_path / "data") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no file or folder is there. Give the"):
        open_images(tmp_path / "nowhere", IDS)


def test_sets_are_small_to_send_to_a_worker(two_of_each, tmp_path):
    images = open_images(drawing.class_folders(tmp_path, two_of_each), IDS)
    assert len(pickle.dumps(images)) < 200 * len(two_of_each)


def test_a_single_tar_or_parquet_file_can_be_given(few, tmp_path):
    tar = drawing.original_tar(tmp_path / "tar", few) / "ILSVRC2012_img_val.tar"
    assert len(open_images(tar, IDS)) == len(few)
    shard = next(drawing.parquet(tmp_path / "parquet", few, shards=1).rglob("*.parquet"))
    assert len(open_images(shard, IDS)) == len(few)


def test_training_shards_beside_the_validation_shards_are_not_read(few, tmp_path):
    root = drawing.webdataset(tmp_path, few)
    shutil.copy(root / "imagenet1k-validation-00.tar", root / "imagenet1k-train-0000.tar")
    assert len(open_images(root, IDS)) == len(few)
