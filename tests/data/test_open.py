"""Every layout gives the same images, labels and order; every wrong one gives a message."""

import json
import multiprocessing
import pickle
import random
import shutil

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k, official_name
from vanbench.data.layouts.images import basename
from vanbench.data.layouts.official import official_label
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()
SOME = (IDS[0], IDS[217], IDS[482], IDS[999])  # a subset with labels all over the range


@pytest.fixture(scope="module")
def drawn():
    return drawing.pictures(per_class=2)


@pytest.fixture(scope="module")
def few():
    return drawing.pictures(per_class=3, classes=SOME)


def stem(name):
    return basename(name).rpartition(".")[0]


@pytest.mark.parametrize("layout", drawing.LAYOUTS)
def test_every_layout_has_the_same_images_labels_and_order(layout, drawn, tmp_path):
    images = open_images(drawing.LAYOUTS[layout](tmp_path, drawn), IDS)
    assert images.layout == layout
    assert [stem(name) for name in images.names] == [stem(p.name) for p in drawn]
    assert [IDS[label] for label in images.labels] == [p.wnid for p in drawn]
    assert all(images.read(i) == p.encoded for i, p in enumerate(drawn))


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


@pytest.mark.parametrize("prefix", ["", "val/", "./", "/data/imagenet/val/"])
def test_val_txt_with_and_without_paths(prefix, few, tmp_path):
    images = open_images(drawing.flat_with_val_txt(tmp_path, few, prefix), IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]


def test_val_txt_may_be_in_meta_beside_the_folder(few, tmp_path):
    drawing.flat_with_val_txt(tmp_path, few)
    (tmp_path / "meta").mkdir()
    (tmp_path / "val.txt").rename(tmp_path / "meta" / "val.txt")
    assert len(open_images(tmp_path / "val", IDS)) == len(few)


def test_val_txt_may_give_class_ids(few, tmp_path):
    drawing.flat(tmp_path, few)
    (tmp_path / "val.txt").write_text("".join(f"{p.name}\t{p.wnid}\n" for p in few))
    assert [IDS[label] for label in open_images(tmp_path, IDS).labels] == [p.wnid for p in few]


@pytest.mark.parametrize("first", [0, 1], ids=["counted from 0", "counted from 1"])
def test_a_val_txt_in_the_devkits_order_is_recognised_and_mapped(first, drawn, tmp_path):
    """A plain reading would be valid and give an accuracy near zero."""
    drawing.flat(tmp_path, drawn)
    order = drawing.devkit_order()
    lines = [f"{p.name} {order.index(p.wnid) + first}\n" for p in drawn]
    (tmp_path / "val.txt").write_text("".join(lines))
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in drawn]
    assert [f.kind for f in images.findings] == ["class order"]
    assert "another order" in str(images.findings[0])


def test_shuffled_labels_of_official_names_are_a_fault_not_an_order(drawn, tmp_path):
    labels = random.Random(1).choices(range(1000), k=len(drawn))
    drawing.flat(tmp_path, drawn)
    lines = [f"{p.name} {label}\n" for p, label in zip(drawn, labels, strict=True)]
    (tmp_path / "val.txt").write_text("".join(lines))
    images = open_images(tmp_path, IDS)
    assert list(images.labels) == labels
    wrong = sum(IDS[label] != p.wnid for p, label in zip(drawn, labels, strict=True))
    assert [(f.count, f.fault) for f in images.findings if f.kind == "label"] == [(wrong, True)]


def test_without_official_names_the_order_is_assumed_and_said_so(few, tmp_path):
    tmp_path.joinpath("val.txt").write_text("a.jpg 5\nb.jpg 7\n")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert list(images.labels) == [5, 7]
    assert "this cannot be checked" in str(images.findings[0])


def test_ground_truth_without_meta_mat_is_mapped_by_official_names(drawn, tmp_path):
    drawing.flat(tmp_path, drawn)
    name = "ILSVRC2012_validation_ground_truth.txt"
    (tmp_path / name).write_bytes(drawing.devkit_files()[name])
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in drawn]


def test_stray_folders_are_ignored_and_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    for stray in (".ipynb_checkpoints", "__MACOSX", "n01440764/.ipynb_checkpoints"):
        (tmp_path / stray).mkdir()
        (tmp_path / stray / "x.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]
    (found,) = images.findings
    assert (found.kind, found.count, found.fault) == ("ignored", 3, False)
    assert ".ipynb_checkpoints" in str(found)


def test_images_of_unknown_classes_are_left_out_and_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    (tmp_path / "n00000001").mkdir()
    (tmp_path / "n00000001" / "x.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert len(images) == len(few)
    assert [(f.kind, f.count, f.fault) for f in images.findings] == [("unknown class", 1, True)]


def test_training_images_in_a_validation_folder_are_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    (tmp_path / "n01440764" / "n01440764_10026.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert [(f.kind, f.count) for f in images.findings] == [("training images", 1)]


def test_classes_of_ones_own(tmp_path):
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_bytes(drawing.jpeg(1))
    images = open_images(tmp_path, ("dog", "cat"))
    assert dict(zip(images.names, images.labels, strict=True)) == {"cat/1.jpg": 1, "dog/1.jpg": 0}


def test_a_file_that_has_gone_is_named(few, tmp_path):
    images = open_images(drawing.class_folders(tmp_path, few), IDS)
    (tmp_path / images.names[0]).unlink()
    with pytest.raises(DataError, match=f"{few[0].name}: cannot be read: No such file"):
        images.read(0)


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
def test_what_is_no_data_set_gets_one_message(make, message, few, tmp_path):
    make(tmp_path / "data", few)
    with pytest.raises(DataError, match=message) as caught:
        open_images(tmp_path / "data", IDS)
    assert str(tmp_path / "data") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no file or folder is there. Give .* --data"):
        open_images(tmp_path / "nowhere", IDS)


def test_sets_are_small_to_send_to_a_worker(drawn, tmp_path):
    images = open_images(drawing.class_folders(tmp_path, drawn), IDS)
    assert len(pickle.dumps(images)) < 200 * len(drawn)


def test_a_single_tar_or_parquet_file_can_be_given(few, tmp_path):
    tar = drawing.original_tar(tmp_path / "tar", few) / "ILSVRC2012_img_val.tar"
    assert len(open_images(tar, IDS)) == len(few)
    shard = next(drawing.parquet(tmp_path / "parquet", few, shards=1).rglob("*.parquet"))
    assert len(open_images(shard, IDS)) == len(few)


def test_a_tar_of_class_folders(few, tmp_path):
    members = [(f"val/{p.wnid}/{p.name}", p.encoded) for p in few]
    drawing.write_tar(tmp_path / "imagenet_val.tar", [*members, ("val/._x.JPEG", b"x")])
    images = open_images(tmp_path, IDS)
    assert images.layout == "tar of class folders"
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]
    assert [f.kind for f in images.findings] == ["ignored"]


def test_training_shards_beside_the_validation_shards_are_not_read(few, tmp_path):
    root = drawing.webdataset(tmp_path, few)
    shutil.copy(root / "imagenet1k-validation-00.tar", root / "imagenet1k-train-0000.tar")
    assert len(open_images(root, IDS)) == len(few)


def write_parquet(path, images, labels, **metadata):
    """A Parquet file with a column of images and one of labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"image": images, "label": labels}).replace_schema_metadata(metadata)
    pq.write_table(table, path, row_group_size=5)
    return path


@pytest.mark.parametrize("name", [None, "image.jpg", "a/b/image.jpg"])
def test_parquet_rows_whose_paths_say_nothing(name, few, tmp_path):
    images = [{"bytes": p.encoded, "path": name} for p in few]
    path = write_parquet(tmp_path / "x.parquet", images, [IDS.index(p.wnid) for p in few])
    opened = open_images(path, IDS)
    assert len(set(opened.names)) == len(few)
    found = {(opened.read(i), IDS[opened.labels[i]]) for i in range(len(few))}
    assert found == {(p.encoded, p.wnid) for p in few}


def test_parquet_labels_may_be_class_ids_or_in_the_names_of_the_files(few, tmp_path):
    plain = [p.encoded for p in few]
    by_id = write_parquet(tmp_path / "a.parquet", plain, [p.wnid for p in few])
    named = [{"bytes": p.encoded, "path": f"{p.name[:-5]}_{p.wnid}.JPEG"} for p in few]
    by_name = write_parquet(tmp_path / "b.parquet", named, [-1] * len(few))
    for path in (by_id, by_name):
        opened = open_images(path, IDS)
        assert [IDS[label] for label in opened.labels] == [p.wnid for p in few]


def test_parquet_labels_of_a_subset_are_mapped_by_the_ids_in_the_metadata(few, tmp_path):
    """Imagenette-like: ten classes counted from 0, with their WordNet ids named."""
    feature = {"names": list(SOME), "_type": "ClassLabel"}
    about = json.dumps({"info": {"features": {"label": feature}}})
    labels = [SOME.index(p.wnid) for p in few]
    path = write_parquet(
        tmp_path / "x.parquet", [p.encoded for p in few], labels, huggingface=about
    )
    assert [IDS[label] for label in open_images(path, IDS).labels] == [p.wnid for p in few]


def test_webdataset_classes_may_be_ids_in_the_json(few, tmp_path):
    members = []
    for i, p in enumerate(few):
        about = json.dumps({"label": 3, "wnid": p.wnid}).encode()
        members += [(f"{i:05d}.jpeg", p.encoded), (f"{i:05d}.json", about)]
    drawing.write_tar(tmp_path / "val-000.tar", members)
    assert [IDS[label] for label in open_images(tmp_path, IDS).labels] == [p.wnid for p in few]


def test_webdataset_samples_that_share_a_name_are_refused(few, tmp_path):
    members = [("a.jpg", few[0].encoded), ("a.cls", b"1")] * 2
    drawing.write_tar(tmp_path / "val-000.tar", members)
    with pytest.raises(DataError, match=r"expected one a.jpg, found two"):
        open_images(tmp_path, IDS)
