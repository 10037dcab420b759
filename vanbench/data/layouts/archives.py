"""Tar archives read in place: member offsets are listed once, then images are read by offset."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from vanbench.data.layouts.flat import disagreements, labelled
from vanbench.data.layouts.images import ImageSet, Item, Source, arrange, is_image, is_stray
from vanbench.data.layouts.labels import find_labels
from vanbench.data.summary import finding
from vanbench.errors import DataError

Place = tuple[int, int, int]  # which file, offset, size


@dataclass(frozen=True)
class Slices:
    """Images that are byte ranges of larger files."""

    paths: Sequence[Path]
    places: Sequence[Place]

    def read(self, index: int) -> bytes:
        which, offset, size = self.places[index]
        with open(self.paths[which], "rb", buffering=0) as file:
            file.seek(offset)
            content = file.read(size)
        if len(content) < size:
            raise OSError(f"{self.paths[which].name} ends early")
        return content

    def position(self, index: int) -> Place:
        return self.places[index]


def slices(paths: Sequence[Path], places: Sequence[Place]) -> Source:
    """A source of byte ranges of ``paths``."""
    return Slices(paths, places)


def members(path: Path) -> list[tuple[str, int, int]]:
    """(name, offset, size) of each file in a plain tar; DataError if it is not a whole one."""
    try:
        with tarfile.open(path, "r:") as archive:
            found = [(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path}: not a readable uncompressed tar archive: {error}.") from error
    name, offset, size = found[-1] if found else ("", 0, 0)
    if offset + size > path.stat().st_size:
        raise DataError(
            f"{path}: the archive ends in the middle of {name}: it was not copied or downloaded "
            "to its end. Fetch it again."
        )
    return found


def open_tar(path: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The images of one tar, labelled by the folders in it or by a list near it, else None."""
    found = [(name.removeprefix("./"), (0, *place)) for name, *place in members(path)]
    images = [(name, place) for name, place in found if is_image(name) and not _is_hidden(name)]
    stray = [name for name, _ in found if _is_hidden(name)]
    findings = finding("ignored", stray, "{n} hidden or stray files are ignored", fault=False)
    label_of = {class_id: label for label, class_id in enumerate(class_ids)}
    build = partial(arrange, make_source=partial(slices, [path]), path=path, class_ids=class_ids)
    in_classes = [
        Item(name, label_of[folder], place)
        for name, place in images
        if (folder := PurePosixPath(name).parent.name) in label_of
    ]
    if in_classes:
        kept = {item.name for item in in_classes}
        lost = [name for name, _ in images if name not in kept]
        text = "{n} images are left out: they are in folders not named after a known class id"
        findings += finding("unknown class", lost, text)
        return build(in_classes, layout="tar of class folders", findings=findings)
    labels = find_labels(path.parent, [name for name, _ in images], class_ids)
    if labels is None:
        return None
    findings += disagreements([name for name, _ in images], labels)
    return build(labelled(images, labels), layout=f"tar with {labels.path.name}", findings=findings)


def _is_hidden(name: str) -> bool:
    return any(is_stray(part) for part in PurePosixPath(name).parts)
