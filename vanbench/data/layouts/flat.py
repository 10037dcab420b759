"""All images in one folder, with their labels in a file beside it or above."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vanbench.data.layouts.classes import Labels
from vanbench.data.layouts.images import Files, ImageSet, Item, arrange, list_folder
from vanbench.data.layouts.labels import find_labels
from vanbench.data.summary import MISSING, Finding, finding


def open_flat(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in ``folder`` if it holds images and a file near it lists their labels, else None."""
    listing = list_folder(folder)
    labels = find_labels(folder, listing.images, class_ids)
    if labels is None:
        return None
    stray = (*listing.stray, *listing.folders)
    text = "{n} hidden or stray {file or folder is|files or folders are} ignored"
    return arrange(
        labelled([(name, name) for name in listing.images], labels),
        partial(Files, folder),
        layout=f"flat with {labels.path.name}",
        path=folder,
        class_ids=class_ids,
        findings=[
            *finding("ignored", stray, text, fault=False),
            *compare_with_list(listing.images, labels),
        ],
    )


def labelled(images: Sequence[tuple[str, object]], labels: Labels) -> list[Item]:
    """The (name, place) pairs that have a label, with it."""
    found = ((name, labels.find(name), place) for name, place in images)
    return [Item(name, label, place) for name, label, place in found if label is not None]


def compare_with_list(images: Sequence[str], labels: Labels) -> list[Finding]:
    """Images without a label, labels without an image, and the findings about the list itself."""
    where = labels.path.name
    return [
        *finding(
            "unlabelled",
            [name for name in images if labels.find(name) is None],
            f"{{n}} {{image is|images are}} left out, not listed in {where}",
        ),
        *finding(
            MISSING,
            labels.missing(images),
            f"{{n}} {{image is|images are}} not here, but listed in {where}",
            fault=False,
        ),
        *labels.findings,
    ]
