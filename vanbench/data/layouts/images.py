"""The result of opening any layout: labelled images that any process can read by index."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vanbench.data.decode import MOST_BYTES
from vanbench.data.summary import Finding, encodable
from vanbench.errors import DataError
from vanbench.outside.files import read_bytes
from vanbench.zoo.other_sets import OTHER_SETS

IMAGE_SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
STRAY = frozenset({"__MACOSX", "@eaDir", "lost+found", "Thumbs.db", "desktop.ini"})


class Source(Protocol):
    """Where the encoded images are. Can be pickled, and read by several threads at once."""

    def read(self, index: int) -> bytes:
        """The encoded image; OSError or DataError if it cannot be read or is too large."""

    def position(self, index: int) -> Any:
        """Where the image is stored: images are read fastest in this order."""

    def size(self, index: int) -> int | None:
        """The bytes of the encoded image; None if only reading it tells, or it is not there."""


@dataclass(frozen=True)
class Item:
    """One labelled image before it has an index; ``place`` is what the layout's source needs."""

    name: str
    label: int
    place: Any


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images in a fixed order: by file name, then by the name with its folders.

    So a data set has the same order in every layout that keeps the images' file names.
    ``names`` can be encoded as UTF-8: a byte of a name that is not UTF-8 is written as ``%E9``.
    ``labels`` are indices into ``class_ids``; ``findings`` are what was noticed on opening.
    ``other_set`` is the key of another test set for the classes of ImageNet-1k; None if it is none.
    """

    layout: str
    path: Path
    class_ids: tuple[str, ...]
    names: Sequence[str]
    labels: Sequence[int]
    source: Source
    findings: tuple[Finding, ...] = ()
    other_set: str | None = None

    @property
    def among(self) -> tuple[int, ...] | None:
        """The labels among which the rule of the set chooses a prediction; None for all."""
        some = OTHER_SETS[self.other_set].class_ids if self.other_set else None
        return None if some is None else tuple(map(self.class_ids.index, some))

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes:
        """The encoded file; DataError if it cannot be read, naming the image or its archive."""
        try:
            return self.source.read(index)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            raise DataError(problem, where=self.names[index]) from error

    def sizes(self) -> list[int] | None:
        """The bytes of each encoded image; None if only reading them tells."""
        sizes = []
        for index in range(len(self)):
            size = self.source.size(index)
            if size is None:
                return None
            sizes.append(size)
        return sizes

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
    other_set: str | None = None,
) -> ImageSet:
    """The image set of ``items`` in the documented order."""
    ordered = sorted(items, key=lambda item: (basename(item.name), item.name))
    names = [item.name for item in ordered]
    return ImageSet(
        layout=layout,
        path=path,
        class_ids=class_ids,
        names=[name if name.isascii() else encodable(name) for name in names],
        labels=[item.label for item in ordered],
        source=make_source([item.place for item in ordered]),
        findings=tuple(findings),
        other_set=other_set,
    )


@dataclass(frozen=True)
class Files:
    """Images that are files of their own, at ``paths`` relative to ``root``."""

    root: Path
    paths: Sequence[str]

    def read(self, index: int) -> bytes:
        path = os.path.join(self.root, self.paths[index])
        return read_bytes(path, most=MOST_BYTES, error=DataError)

    def position(self, index: int) -> int:
        return index

    def size(self, index: int) -> int | None:
        try:
            return os.stat(os.path.join(self.root, self.paths[index])).st_size
        except OSError:
            return None


def basename(name: str) -> str:
    r"""The file name at the end of a path, whose separators may be slashes or backslashes.

    >>> basename(r"val\ILSVRC2012_val_00000001.JPEG")
    'ILSVRC2012_val_00000001.JPEG'
    """
    return name.replace("\\", "/").rpartition("/")[2]


def is_image(name: str) -> bool:
    """Whether a file name says that it is an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_stray(name: str) -> bool:
    """Whether a file or folder is hidden, or one that programs leave behind."""
    return name.startswith(".") or name in STRAY


@dataclass(frozen=True)
class Listing:
    """What is directly in a folder: ``stray`` is ignored, ``others`` are files but not images."""

    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]
    stray: tuple[str, ...]


def list_folder(folder: Path) -> Listing:
    """The folder's content by kind, each sorted; DataError if it cannot be listed.

    Links are followed. What is neither a folder nor a file, such as a named pipe, a device, or a
    link in a loop, is listed as a file: whoever reads it gets the error that says what it is.
    """
    kinds: tuple[list[str], ...] = ([], [], [], [])
    folders, images, others, stray = kinds
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_stray(entry.name):
                    stray.append(entry.name)
                elif _is_folder(entry):
                    folders.append(entry.name)
                else:
                    (images if is_image(entry.name) else others).append(entry.name)
    except OSError as error:
        problem = f"the folder cannot be listed: {error.strerror}"
        raise DataError(problem, where=folder, remedy="Check its permissions.") from error
    return Listing(*(tuple(sorted(names)) for names in kinds))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a loop
        return False
