"""Image sets: their order, and reading one image."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.inspect import inspect
from vanbench.data.layouts.images import Files, Item, Listing, arrange, list_folder
from vanbench.data.open import INSIDE, open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


def test_a_file_that_has_gone_is_named(few, tmp_path):
    images = open_images(drawing.class_folders(tmp_path, few), IDS)
    (tmp_path / images.names[0]).unlink()
    with pytest.raises(DataError, match=f"{few[0].name}: there is no such file"):
        images.read(0)


def test_the_order_is_by_file_name_then_by_folder():
    items = [Item(name, 0, name) for name in ("b/x.jpg", "a/y.jpg", "a/x.jpg", r"c\w.jpg")]
    images = arrange(items, partial(Files, Path()), layout="", path=Path(), class_ids=("cat",))
    assert images.names == [r"c\w.jpg", "a/x.jpg", "b/x.jpg", "a/y.jpg"]


def test_tars_are_read_in_the_order_of_their_bytes(few, tmp_path):
    """Which is not the order of the images."""
    members = [(f"{p.wnid}/{p.name}", p.encoded) for p in reversed(few)]
    drawing.write_tar(tmp_path / "val.tar", members)
    images = open_images(tmp_path, IDS)
    assert images.storage_order(range(len(few))) == list(reversed(range(len(few))))


def test_a_folder_is_listed_by_kind(tmp_path):
    for name in ("b.JPG", "a.webp", "x.txt", ".hidden.jpg", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    assert list_folder(tmp_path) == Listing(
        folders=("folder.jpg",),
        images=("a.webp", "b.JPG"),
        others=("x.txt",),
        stray=(".hidden.jpg", "Thumbs.db"),
    )
    with pytest.raises(DataError, match="nowhere: the folder cannot be listed: No such file"):
        list_folder(tmp_path / "nowhere")


def special_files(folder):
    """What is not a file, under the names of images: (name, what the error says)."""
    os.mkfifo(folder / "fifo.JPEG")
    (folder / "zero.JPEG").symlink_to("/dev/zero")
    (folder / "loop.JPEG").symlink_to("loop.JPEG")
    (folder / "gone.JPEG").symlink_to("nowhere")
    with (folder / "sparse.JPEG").open("wb") as file:
        file.truncate(1 << 40)
    return {
        "fifo.JPEG": "expected a file, found a named pipe",
        "zero.JPEG": "expected a file, found a character device",
        "loop.JPEG": "cannot be read: a loop of symbolic links",
        "gone.JPEG": "there is no such file",
        "sparse.JPEG": "expected at most 268,435,455 bytes, found 1,099,511,627,776",
    }


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_what_is_no_file_is_named_and_never_opened(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    expected = special_files(tmp_path / few[0].wnid)
    images = open_images(tmp_path, IDS)
    assert len(images) == len(few) + len(expected)
    for name, problem in expected.items():
        with pytest.raises(DataError, match=problem):
            images.read(images.names.index(f"{few[0].wnid}/{name}"))
    found = {fault.kind: fault.count for fault in inspect(images).faults}
    assert found == {"unreadable": len(expected)}


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
@pytest.mark.parametrize(
    "name",
    [
        "val.txt",
        "LOC_val_solution.csv",
        "ILSVRC2012_devkit_t12.tar.gz",
        "ILSVRC2012_validation_ground_truth.txt",
        "val.tar",
        "val.parquet",
    ],
)
@pytest.mark.parametrize("target", [None, "/dev/zero"])
def test_a_list_or_an_archive_that_is_no_file_is_named(name, target, few, tmp_path):
    drawing.flat(tmp_path, [] if name.startswith("val.") and name != "val.txt" else few)
    (tmp_path / name).symlink_to(target) if target else os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="expected a file, found a") as caught:
        open_images(tmp_path, IDS)
    assert caught.value.where == tmp_path / name


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_a_data_set_that_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for path, problem in {
        tmp_path / "fifo": "found a named pipe",
        tmp_path / "loop": "a loop of symbolic links",
        Path("/dev/zero"): "found a character device",
        tmp_path / ("x" * 5000): "no file or folder is there",
    }.items():
        with pytest.raises(DataError, match=problem):
            open_images(path, IDS)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_names_that_are_not_utf_8_can_be_encoded(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    folder = os.fsencode(tmp_path / few[0].wnid)
    for name in (b"caf\xe9.jpg", b"\xff", b"\xe9in"):
        os.mkdir(folder + b"/" + name) if b"." not in name else None
    for name in (b"caf\xe9.jpg", b"\xe9in/a.jpg"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(drawing.jpeg(5))
    images = open_images(tmp_path, IDS)
    assert f"{few[0].wnid}/caf%E9.jpg" in images.names
    found = inspect(images)
    (nested,) = found.faults
    assert nested.examples == (f"{few[0].wnid}/%E9in/a.jpg",)
    json.dumps([found.as_json(), images.names], ensure_ascii=False).encode()


def test_folders_that_link_to_themselves_end(tmp_path):
    for name in INSIDE:
        (tmp_path / name).symlink_to(".")
    with pytest.raises(DataError, match="found no images: 11 folders"):
        open_images(tmp_path, IDS)
