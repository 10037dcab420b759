"""Class folders: ``n01440764/ILSVRC2012_val_00000293.JPEG``, one folder per class id."""

import re
from functools import partial
from pathlib import Path

from vanbench.data.layouts.images import Files, ImageSet, Item, arrange, look
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError

LAYOUT = "class folders"
MOST_PER_CLASS = 50  # images of a class in ImageNet's validation set; its training set has 732–1300

_TRAINING_NAME = re.compile(r"(n\d{8})_\d+\.")


def open_class_folders(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in ``folder`` if it has a folder named after a class id, else None.

    Folders of other names are never counted as classes: where they hold images, they are a fault.
    """
    listing = look(folder)
    label_of = {class_id: label for label, class_id in enumerate(class_ids)}
    known = [name for name in listing.folders if name in label_of]
    if not known:
        return None
    items, inner = _read_classes(folder, known, label_of)
    foreign = {name: look(folder / name).images for name in set(listing.folders) - set(known)}
    findings = [*_strays(listing.stray, inner), *_foreign(foreign, listing.images)]
    training = [item.name for item in items if _is_training_name(item.name)]
    _refuse_training_set(folder, items, training)
    findings += finding(
        "training images",
        training,
        "{n} images have names of the training set, not of the validation set",
    )
    return arrange(
        items,
        partial(Files, folder),
        layout=LAYOUT,
        path=folder,
        class_ids=class_ids,
        findings=findings,
    )


def _read_classes(
    folder: Path, known: list[str], label_of: dict[str, int]
) -> tuple[list[Item], list[str]]:
    """The images of the known classes, and what else was in their folders."""
    items, inner = [], []
    for class_id in known:
        listing = look(folder / class_id)
        names = [f"{class_id}/{name}" for name in listing.images]
        items += [Item(name, label_of[class_id], name) for name in names]
        rest = (*listing.stray, *listing.folders, *listing.others)
        inner += [f"{class_id}/{name}" for name in rest]
    return items, inner


def _strays(stray: tuple[str, ...], inner: list[str]) -> list[Finding]:
    text = "{n} hidden or stray files or folders are ignored"
    return finding("ignored", [*stray, *inner], text, fault=False)


def _foreign(foreign: dict[str, tuple[str, ...]], loose: tuple[str, ...]) -> list[Finding]:
    """Images that belong to no known class, and folders that hold none."""
    lost = [f"{name}/{image}" for name, images in foreign.items() for image in images]
    empty = [name for name, images in foreign.items() if not images]
    return [
        *finding(
            "unknown class",
            lost,
            "{n} images are left out: they are in folders not named after a known class id",
        ),
        *finding("unlabelled", loose, "{n} images are left out: they are in no class folder"),
        *finding("ignored", empty, "{n} folders without images are ignored", fault=False),
    ]


def _is_training_name(name: str) -> bool:
    class_id, _, image = name.partition("/")
    match = _TRAINING_NAME.match(image)
    return match is not None and match[1] == class_id


def _refuse_training_set(folder: Path, items: list[Item], training: list[str]) -> None:
    if not items or len(training) < len(items):
        return
    most = len(items) / len({item.label for item in items})
    if folder.name.lower() == "train" or most > MOST_PER_CLASS:
        raise DataError(
            f"{folder}: expected the validation set, found {len(items):,} images with the names "
            f"of the training set ({training[0]}, …). Give the folder of the validation images."
        )
