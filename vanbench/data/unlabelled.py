"""Images whose labels do not matter, such as those that int8 is calibrated on."""

import os
from collections.abc import Iterator
from pathlib import Path

from vanbench.data.layouts.images import Files, ImageSet, Item, arrange, is_image, list_folder
from vanbench.data.layouts.tar_members import is_hidden, read_members, slices
from vanbench.errors import DataError
from vanbench.outside.files import check_regular

EXPECTED = "expected a folder of images or an uncompressed tar of images"
DEPTH = 8  # folders in folders


def open_unlabelled(path: Path) -> ImageSet:
    """All images in a folder and in the folders in it, or in a tar; each has label 0.

    DataError if there are none.
    """
    if not os.path.lexists(path):
        raise DataError(f"{EXPECTED}, found nothing there", where=path)
    if os.path.isdir(path):
        items = [Item(name, 0, name) for name in _images(path, "", DEPTH, set())]
        found = arrange(
            items,
            lambda names: Files(path, names),
            layout="images without labels",
            path=path,
            class_ids=(),
        )
    else:
        check_regular(path, DataError, remedy="Give a folder or a tar.")
        found = _open_tar(path)
    if not len(found):
        raise DataError(f"{EXPECTED}, found no image there", where=path)
    return found


def _images(root: Path, inside: str, depth: int, seen: set[str]) -> Iterator[str]:
    """The paths of the images relative to ``root``; each folder is listed once (see links)."""
    real = os.path.realpath(root / inside)
    if real in seen:
        return
    seen.add(real)
    listing = list_folder(root / inside)
    yield from (os.path.join(inside, name) for name in listing.images)
    if depth:
        for name in listing.folders:
            yield from _images(root, os.path.join(inside, name), depth - 1, seen)


def _open_tar(path: Path) -> ImageSet:
    members = read_members(path).files
    items = [
        Item(member.name, 0, (0, member.offset, member.size))
        for member in members
        if is_image(member.name) and not is_hidden(member.name)
    ]
    return arrange(
        items, slices([path]), layout="tar of images without labels", path=path, class_ids=()
    )
