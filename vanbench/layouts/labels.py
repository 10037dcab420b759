"""Files that list the labels of images: which class each file name has."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vanbench.errors import DataError
from vanbench.layouts.images import Finding, basename

LISTINGS = ("val.txt", "meta/val.txt")


@dataclass(frozen=True)
class Labels:
    """The label of each image that ``path`` lists, by file name with or without its suffix."""

    path: Path
    of: dict[str, int]
    findings: tuple[Finding, ...] = ()

    def find(self, name: str) -> int | None:
        """The label of a file, or None if it is not listed."""
        return self.of.get(name, self.of.get(name.rpartition(".")[0]))

    def without(self, names: Iterable[str]) -> list[str]:
        """The listed names that are not among ``names``."""
        there = {*names, *(name.rpartition(".")[0] for name in names)}
        return [name for name in self.of if name not in there]


def read_labels(path: Path, class_ids: tuple[str, ...]) -> Labels:
    """The labels in a file of "file index" lines; DataError if a line is not one."""
    of: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        name, _, index = line.strip().rpartition(" ")
        if not name or not index.isdecimal() or int(index) >= len(class_ids):
            raise DataError(
                f"{path}, line {number}: expected a file name and a class index from 0 to "
                f"{len(class_ids) - 1}, in the order of the sorted class ids; found {line!r}."
            )
        of[basename(name)] = int(index)
    return Labels(path, of)
