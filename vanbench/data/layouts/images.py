"""What every layout ends as: labelled images that any process can read by index."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from vanbench.data.summary import Finding
from vanbench.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
STRAY = frozenset({"__MACOSX", "@eaDir", "lost+found", "Thumbs.db", "desktop.ini"})


class Source(Protocol):
    """Where the encoded images are; picklable, and readable by several threads at once."""

    def read(self, index: int) -> bytes:
        """The encoded image; OSError if it cannot be had."""

    def position(self, index: int) -> Any:
        """Where the image is stored: images are read fastest in this order."""


@dataclass(frozen=True)
class Item:
    """One labelled image before it has an index; ``place`` is for the layout's source."""

    name: str
    label: int
    place: Any


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images in a fixed order: by the last part of their names, then by the whole name.

    So an image set has the same order in every layout that keeps the images' file names.
    ``labels`` are indices into ``class_ids``; ``findings`` is what the layout itself showed.
    """

    layout: str
    path: Path
    class_ids: tuple[str, ...]
    names: Sequence[str]
    labels: Sequence[int]
    source: Source
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes:
        """The encoded file; DataError naming the image if it cannot be read."""
        try:
            return self.source.read(index)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"{self.names[index]} cannot be read: {reason}") from error

    def storage_order(self, indices: Iterable[int]) -> list[int]:
        """The same indices in the order in which reading is fastest."""
        return sorted(indices, key=self.source.position)


def arrange(
    items: Iterable[Item],
    make_source: Callable[[list[Any]], Source],
    *,
    layout: str,
    path: Path,
    class_ids: tuple[str, ...],
    findings: Iterable[Finding] = (),
) -> ImageSet:
    """The image set of ``items`` in the documented order."""
    ordered = sorted(items, key=lambda item: (basename(item.name), item.name))
    return ImageSet(
        layout=layout,
        path=path,
        class_ids=class_ids,
        names=[item.name for item in ordered],
        labels=[item.label for item in ordered],
        source=make_source([item.place for item in ordered]),
        findings=tuple(findings),
    )


@dataclass(frozen=True)
class Files:
    """Images that are files of their own, at ``paths`` relative to ``root``."""

    root: Path
    paths: Sequence[str]

    def read(self, index: int) -> bytes:
        return (self.root / self.paths[index]).read_bytes()

    def position(self, index: int) -> int:
        return index


def basename(name: str) -> str:
    """The last part of a name with slashes."""
    return PurePosixPath(name).name


def is_image(name: str) -> bool:
    """Whether a file name says that it is an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_stray(name: str) -> bool:
    """Whether a file or folder is one that programs leave behind, and never data."""
    return name.startswith(".") or name in STRAY


@dataclass(frozen=True)
class Listing:
    """What is directly in a folder: ``stray`` is ignored, ``others`` are files but no images."""

    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]
    stray: tuple[str, ...]


def look(folder: Path) -> Listing:
    """The folder's content by sort, each in order; DataError if it cannot be listed."""
    sorts: tuple[list[str], ...] = ([], [], [], [])
    folders, images, others, stray = sorts
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_stray(entry.name):
                    stray.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
                else:
                    (images if is_image(entry.name) else others).append(entry.name)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed: {error.strerror}.") from error
    return Listing(*(tuple(sorted(names)) for names in sorts))
