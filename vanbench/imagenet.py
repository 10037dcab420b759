"""Any image set that people have, opened as it is: which layout, which images, which labels.

Labels come from class ids (WordNet ids for ImageNet), never from the order of a folder listing.
Nothing is ever written into the data set's folder.
"""

from collections.abc import Iterator
from pathlib import Path

from vanbench.errors import DataError
from vanbench.layouts.flat import open_flat
from vanbench.layouts.folders import open_class_folders
from vanbench.layouts.images import ImageSet, look

__all__ = ["ImageSet", "open_images"]

LAYOUTS = (open_class_folders, open_flat)

# Folders that a validation set is found under, in the order in which they are tried.
INSIDE = ("val", "validation", "ILSVRC2012_img_val", "ILSVRC2012", "ILSVRC", "imagenet", "Data",
          "CLS-LOC", "data", "images")  # fmt: skip
DEPTH = 4  # ILSVRC/Data/CLS-LOC/val


def open_images(path: Path, class_ids: tuple[str, ...]) -> ImageSet:
    """The labelled images at ``path``, whatever their layout.

    Raises DataError saying what was expected, what was found and what to do.
    """
    if not path.exists():
        raise DataError(f"No data at {path}. Give the folder of a validation set with --data.")
    for folder in _places(path, DEPTH):
        for open_layout in LAYOUTS:
            images = open_layout(folder, class_ids)
            if images is not None:
                return images
    raise DataError(_refusal(path, class_ids))


def _places(folder: Path, depth: int) -> Iterator[Path]:
    """``folder``, then the known names inside it, depth first."""
    yield folder
    if depth:
        for name in INSIDE:
            if (folder / name).is_dir():
                yield from _places(folder / name, depth - 1)


def _refusal(path: Path, class_ids: tuple[str, ...]) -> str:
    listing = look(path)
    found = (
        f"{len(listing.images):,} images, {len(listing.folders):,} folders and "
        f"{len(listing.others):,} other files"
    )
    return (
        f"{path}: expected class folders named after class ids ({class_ids[0]}, …) or a flat "
        f"folder of images with val.txt; found {found}."
    )
