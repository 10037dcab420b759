"""Opening a data set as it is: which layout, which images, which labels.

Labels come from class ids (WordNet ids for ImageNet), never from the order of a folder listing.
Nothing is ever written into the data set's folder.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vanbench.data.layouts.archives import open_tar
from vanbench.data.layouts.flat import open_flat
from vanbench.data.layouts.folders import open_class_folders
from vanbench.data.layouts.images import ImageSet, Listing, list_folder
from vanbench.data.layouts.labels import LISTINGS, find_listings
from vanbench.data.layouts.official import label_conflicts
from vanbench.data.layouts.other_sets import V2_FOLDERS, recognise
from vanbench.data.layouts.parquet import open_parquet
from vanbench.data.layouts.webdataset import open_shards
from vanbench.errors import DataError
from vanbench.outside.files import check_regular

# Folders that a validation set may be in, in the order in which they are tried.
INSIDE = ("val", "validation", "ILSVRC2012_img_val", "ILSVRC2012", "ILSVRC", "imagenet", "ImageNet",
          "Data", "CLS-LOC", "data", "images")  # fmt: skip
GIVE_A_FOLDER = "Give the folder of a validation set, or its tar or Parquet file."
DEPTH = 4  # ILSVRC/Data/CLS-LOC/val

_WORDNET_ID = re.compile(r"n\d{8}")
_OTHER_SPLIT = re.compile(r"train|test", re.I)
_VALIDATION = re.compile(r"(?<![a-z])val", re.I)


def open_images(path: Path, class_ids: tuple[str, ...]) -> ImageSet:
    """The labelled images at ``path``, whatever their layout.

    ``path`` is a folder or a single tar or Parquet file. Raises DataError saying what was expected,
    what was found and what to do.
    """
    if not os.path.lexists(path):
        raise DataError("no file or folder is there", where=path, remedy=GIVE_A_FOLDER)
    if not os.path.isdir(path):
        check_regular(path, DataError, remedy=GIVE_A_FOLDER)
        images = _open_file(path, class_ids)
    else:
        places = _places(path, DEPTH, set())
        images = next(filter(None, (_open_folder(place, class_ids) for place in places)), None)
    if images is None or not len(images):
        expected = f"expected a validation set labelled with class ids such as {class_ids[0]}"
        found, remedy = _what_is_there(path)
        raise DataError(f"{expected}, found {found}", where=path, remedy=remedy)
    images = recognise(images)
    return replace(images, findings=(*images.findings, *label_conflicts(images)))


def _places(folder: Path, depth: int, seen: set[str]) -> Iterator[Path]:
    """``folder``, then the known names inside it, depth first; each folder once (see links)."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    yield folder
    if depth:
        for name in INSIDE:
            if os.path.isdir(folder / name):
                yield from _places(folder / name, depth - 1, seen)


def _open_folder(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    return (
        open_class_folders(folder, class_ids)
        or open_flat(folder, class_ids)
        or _open_shards(folder, class_ids)
    )


def _open_file(path: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    if path.suffix == ".parquet":
        return open_parquet([path], class_ids)
    return open_tar(path, class_ids) or open_shards([path], class_ids)


def _open_shards(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in the folder's Parquet files or tars."""
    files = list_folder(folder).others
    if parquet := _validation_files(folder, files, ".parquet"):
        return open_parquet(parquet, class_ids)
    tars = _validation_files(folder, files, ".tar")
    if len(tars) == 1:
        return open_tar(tars[0], class_ids) or open_shards(tars, class_ids)
    return open_shards(tars, class_ids) if tars else None


def _validation_files(folder: Path, files: Sequence[str], suffix: str) -> list[Path]:
    """The files of a kind that say they are the validation split, or all if none says a split."""
    names = [name for name in files if name.endswith(suffix)]
    chosen = [name for name in names if _VALIDATION.search(name)]
    return [folder / name for name in chosen or (n for n in names if not _OTHER_SPLIT.search(n))]


def _what_is_there(path: Path) -> tuple[str, str]:
    """What was found in place of a data set, and what to do about it."""
    if not os.path.isdir(path):
        return f"a file without labelled images in it{_lists_near(path.parent)}", (
            "Give a folder, a tar with its labels beside it, WebDataset shards or Parquet shards."
        )
    places = list(_places(path, DEPTH, set()))
    listings = [list_folder(place) for place in places]
    unlabelled = next((i for i, listing in enumerate(listings) if listing.images), None)
    if unlabelled is not None:
        return _unlabelled_images(places[unlabelled], listings[unlabelled])
    return _folders_without_labels(path, listings[0])


def _lists_near(folder: Path) -> str:
    """A clause about the lists of labels in or above a folder; empty if there are none."""
    lists = " and ".join(map(str, find_listings(folder)))
    return f", none of which is listed in {lists}" if lists else ""


def _unlabelled_images(folder: Path, listing: Listing) -> tuple[str, str]:
    names = ", ".join(listing.images[:3])
    found = f"{len(listing.images):,} images in one folder"
    examples = f"({folder}: {names}, …)"
    if lists := _lists_near(folder):
        return f"{found} {examples}{lists}", (
            "Use the list that belongs to these images, or sort them into folders named after "
            "their class ids."
        )
    return f"{found} without labels {examples}", (
        f"Put one of {', '.join(LISTINGS[:4])} or the devkit beside it, or sort the images into "
        "folders named after their class ids."
    )


def _folders_without_labels(path: Path, listing: Listing) -> tuple[str, str]:
    inside = Counter({name: len(list_folder(path / name).images) for name in listing.folders})
    folders = [name for name, count in inside.items() if count]
    names = ", ".join(folders[:5])
    if "train" in listing.folders:
        return "a train folder and no val folder", "Give the folder of the validation images."
    if folders and all(_WORDNET_ID.fullmatch(name) for name in folders):
        return (
            f"{inside.total():,} images in {len(folders):,} folders with WordNet ids that are not "
            f"among the known classes ({names}, …)"
        ), "Is it another data set?"
    if folders and all(name.isdecimal() for name in folders):
        return (
            f"{inside.total():,} images in {len(folders):,} folders with numbers ({names}, …)"
        ), (
            "If it is ImageNet-V2, name the folder (or a link to it) as its archive does: "
            f"{', '.join(V2_FOLDERS)}. Else rename the folders to the class ids."
        )
    if folders:
        return (
            f"{inside.total():,} images in {len(folders):,} folders with other names ({names}, …)"
        ), "Rename the folders to the class ids. Labels are never taken from a folder's position."
    if tar := next((name for name in listing.others if name.endswith(".tar")), None):
        return f"{tar} and no labels for its images{_lists_near(path)}", (
            "Put the devkit (ILSVRC2012_devkit_t12.tar.gz), LOC_val_solution.csv or val.txt "
            "beside it."
        )
    if not (listing.folders or listing.others):
        return "an empty folder" + (" (hidden files are ignored)" if listing.stray else ""), ""
    kept = ", ".join([*listing.folders, *listing.others][:5])
    return (
        f"no images: {len(listing.folders):,} folders and {len(listing.others):,} files ({kept})"
    ), "Give the folder of a validation set."
