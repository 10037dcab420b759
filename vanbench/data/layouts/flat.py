"""All images in one folder, with their labels in a file beside it or above."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vanbench.data.layouts.images import Files, ImageSet, Item, arrange, basename, look
from vanbench.data.layouts.labels import Labels, find_labels
from vanbench.data.summary import Finding, finding


def open_flat(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in ``folder`` if it holds images and a file near it lists their labels, else None."""
    listing = look(folder)
    labels = find_labels(folder, listing.images, class_ids)
    if labels is None:
        return None
    stray = (*listing.stray, *listing.folders)
    text = "{n} hidden or stray files or folders are ignored"
    return arrange(
        labelled([(name, name) for name in listing.images], labels),
        partial(Files, folder),
        layout=f"flat with {labels.path.name}",
        path=folder,
        class_ids=class_ids,
        findings=[
            *finding("ignored", stray, text, fault=False),
            *disagreements(listing.images, labels),
        ],
    )


def labelled(images: Sequence[tuple[str, object]], labels: Labels) -> list[Item]:
    """The (name, place) pairs that have a label, with it."""
    found = ((name, labels.find(basename(name)), place) for name, place in images)
    return [Item(name, label, place) for name, label, place in found if label is not None]


def disagreements(images: Sequence[str], labels: Labels) -> list[Finding]:
    """Images without a label, labels without an image, and what the list itself showed."""
    names = [basename(name) for name in images]
    where = labels.path.name
    return [
        *finding(
            "unlabelled",
            [name for name in names if labels.find(name) is None],
            f"{{n}} images are left out: {where} does not list them",
        ),
        *finding("missing", labels.without(names), f"{{n}} images that {where} lists are not here",
                 fault=False),
        *labels.findings,
    ]  # fmt: skip
