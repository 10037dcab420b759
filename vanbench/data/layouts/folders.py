"""Class folders: ``n01440764/ILSVRC2012_val_00000293.JPEG``, one folder per class id."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vanbench.data.layouts.classes import labels_by_id
from vanbench.data.layouts.images import Files, ImageSet, Item, arrange, list_folder
from vanbench.data.layouts.other_sets import numbered_labels, v2_variant
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError
from vanbench.zoo.class_ids import imagenet_1k

LAYOUT = "class folders"
NUMBERED = "folders of class numbers"
MOST_PER_CLASS = 50  # images of a class in ImageNet's validation set; its training set has 732–1300

_TRAINING_NAME = re.compile(r"(n\d{8})_\d+\.")


def open_class_folders(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in ``folder`` if it has a folder named after a class id, else None.

    In a folder that is named as one of ImageNet-V2, folders may be class numbers too.
    Folders of other names are never counted as classes: where they hold images, they are a fault.
    """
    listing = list_folder(folder)
    variant = v2_variant(folder.absolute()) if class_ids == imagenet_1k() else None
    label_of = labels_by_id(class_ids) | (numbered_labels() if variant else {})
    known = [name for name in listing.folders if name in label_of]
    if not known:
        return None
    items, nested, ignored = _read_classes(folder, known, label_of)
    foreign = {name: list_folder(folder / name).images for name in {*listing.folders} - {*known}}
    training = [item.name for item in items if _is_training_name(item.name)]
    _refuse_training_set(folder, items, training)
    return arrange(
        items,
        partial(Files, folder),
        layout=NUMBERED if variant and known[0].isdecimal() else LAYOUT,
        path=folder,
        class_ids=class_ids,
        other_set=variant,
        findings=[
            *_ignored([*listing.stray, *ignored]),
            *_left_out(foreign, listing.images, nested),
            *finding(
                "training images",
                training,
                "{n} {image is|images are} named like the training set, not the validation set",
            ),
        ],
    )


def _read_classes(
    folder: Path, known: Sequence[str], label_of: dict[str, int]
) -> tuple[list[Item], list[str], list[str]]:
    """The images of the known classes; images in folders inside; what else is there."""
    items: list[Item] = []
    nested: list[str] = []
    ignored: list[str] = []
    for class_id in known:
        listing = list_folder(folder / class_id)
        names = [f"{class_id}/{name}" for name in listing.images]
        items += [Item(name, label_of[class_id], name) for name in names]
        ignored += [f"{class_id}/{name}" for name in (*listing.stray, *listing.others)]
        for inner in listing.folders:
            images = list_folder(folder / class_id / inner).images
            nested += [f"{class_id}/{inner}/{image}" for image in images]
            ignored += [] if images else [f"{class_id}/{inner}"]
    return items, nested, ignored


def _ignored(names: Sequence[str]) -> list[Finding]:
    text = "{n} hidden or stray {file or folder is|files or folders are} ignored"
    return finding("ignored", names, text, fault=False)


def _left_out(
    foreign: dict[str, tuple[str, ...]], loose: Sequence[str], nested: Sequence[str]
) -> list[Finding]:
    """Images that belong to no known class, and folders that hold none."""
    unknown = [f"{name}/{image}" for name, images in foreign.items() for image in images]
    empty = [name for name, images in foreign.items() if not images]
    return [
        *finding(
            "unknown class",
            unknown,
            "{n} {image is|images are} left out: the folder is not named after a known class id",
        ),
        *finding("unlabelled", loose, "{n} {image is|images are} left out, in no class folder"),
        *finding(
            "nested", nested, "{n} {image is|images are} left out, in a folder in a class folder"
        ),
        *finding(
            "ignored",
            empty,
            "{n} {folder without images is|folders without images are} ignored",
            fault=False,
        ),
    ]


def _is_training_name(name: str) -> bool:
    class_id, _, image = name.partition("/")
    match = _TRAINING_NAME.match(image)
    return match is not None and match[1] == class_id


def _refuse_training_set(folder: Path, items: Sequence[Item], training: Sequence[str]) -> None:
    """DataError if all images are named like ImageNet's training set and too many for a part."""
    if not items or len(training) < len(items):
        return
    mean = len(items) / len({item.label for item in items})
    if folder.name.lower() == "train" or mean > MOST_PER_CLASS:
        raise DataError(
            f"expected the validation set, found {len(items):,} images with the names of the "
            f"training set ({training[0]}, …)",
            where=folder,
            remedy="Give the folder of the validation images.",
        )
