"""All images in one folder, with their labels in a file beside it or above."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from vanbench.layouts.images import Files, ImageSet, Item, arrange, finding, look
from vanbench.layouts.labels import LISTINGS, Labels, read_labels

FLOORS_UP = 4  # Kaggle's CSV is that far above ILSVRC/Data/CLS-LOC/val


def open_flat(folder: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in ``folder`` if it holds images and a file near it lists their labels, else None."""
    listing = look(folder)
    if not listing.images:
        return None
    for path in listing_files(folder):
        labels = read_labels(path, class_ids)
        if any(labels.find(name) is not None for name in listing.images):
            return _join(folder, listing.images, labels, class_ids)
    return None


def listing_files(folder: Path) -> Iterator[Path]:
    """The label files that are there, nearest first."""
    for above in [folder, *folder.absolute().parents][: FLOORS_UP + 1]:
        yield from (above / name for name in LISTINGS if (above / name).is_file())


def _join(
    folder: Path, images: tuple[str, ...], labels: Labels, class_ids: tuple[str, ...]
) -> ImageSet:
    found = {name: labels.find(name) for name in images}
    items = [Item(name, label, name) for name, label in found.items() if label is not None]
    where = labels.path.name
    findings = [
        *finding(
            "unlabelled",
            [name for name, label in found.items() if label is None],
            f"{{n}} images are left out: {where} does not list them",
        ),
        *finding(
            "missing",
            labels.without(images),
            f"{{n}} images that {where} lists are not in {folder}",
        ),
        *labels.findings,
    ]
    return arrange(
        items,
        partial(Files, folder),
        layout=f"flat with {where}",
        path=folder,
        class_ids=class_ids,
        findings=findings,
    )
