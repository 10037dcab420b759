"""Image sets: their order, and reading one image."""

from functools import partial
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.layouts.images import Files, Item, Listing, arrange, list_folder
from vanbench.data.open import open_images
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
