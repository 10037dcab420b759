"""Images without labels, in folders and in a tar."""

import os
import tarfile

import pytest

from tests.support.drawing import jpeg
from vanbench.data.unlabelled import open_unlabelled
from vanbench.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Three images: one beside, two in folders of folders; with files that are no images."""
    root = tmp_path / "images"
    for number, name in enumerate(("b.jpg", "n0/deep/a.JPEG", "n1/c.png"), 1):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    (root / "notes.txt").write_text("no image")
    (root / "n1/.hidden.jpg").write_bytes(b"")
    return root


def test_all_images_of_all_folders_in_the_order_of_their_names(folder):
    images = open_unlabelled(folder)
    assert images.names == [
        os.path.join("n0", "deep", "a.JPEG"),
        "b.jpg",
        os.path.join("n1", "c.png"),
    ]
    assert [images.read(index) for index in range(3)] == [jpeg(2), jpeg(1), jpeg(3)]
    assert list(images.labels) == [0, 0, 0]


def test_a_link_to_a_folder_above_is_followed_once(folder):
    (folder / "n0/loop").symlink_to(folder, target_is_directory=True)
    assert len(open_unlabelled(folder)) == 3


def test_a_tar_of_images(folder, tmp_path):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "images")
    images = open_unlabelled(path)
    assert [os.path.basename(name) for name in images.names] == ["a.JPEG", "b.jpg", "c.png"]
    assert images.read(0) == jpeg(2)


def test_what_has_no_images_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no image there"):
        open_unlabelled(tmp_path / "empty")
    with pytest.raises(DataError, match="found nothing there"):
        open_unlabelled(tmp_path / "absent")
    (tmp_path / "file.jpg").write_bytes(jpeg(1))
    with pytest.raises(DataError, match="tar archive"):
        open_unlabelled(tmp_path / "file.jpg")
