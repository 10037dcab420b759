"""Files that list the labels of images: which class each file name has.

Three kinds are read: "file index" or "file id" lines (``val.txt``), Kaggle's
``LOC_val_solution.csv``, and the devkit's ground truth.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vanbench.data.layouts.devkit import GROUND_TRUTH, read_devkit
from vanbench.data.layouts.images import basename
from vanbench.data.layouts.official import agrees, learn_order
from vanbench.data.summary import Finding
from vanbench.errors import DataError
from vanbench.zoo.class_ids import imagenet_1k

KAGGLE = "LOC_val_solution.csv"
DEVKIT = "ILSVRC2012_devkit_t12"

# Where a list is, from a folder of images or one above it; the first that is there counts.
LISTINGS = (
    "val.txt",
    "meta/val.txt",
    "val_list.txt",
    KAGGLE,
    f"{DEVKIT}.tar.gz",
    f"{DEVKIT}/data/{GROUND_TRUTH}",
    f"data/{GROUND_TRUTH}",
    GROUND_TRUTH,
)
FLOORS_UP = 4  # Kaggle's CSV is that far above ILSVRC/Data/CLS-LOC/val


@dataclass(frozen=True)
class Labels:
    """The label of each image that ``path`` lists, by file name with or without its suffix."""

    path: Path
    of: Mapping[str, int]
    findings: tuple[Finding, ...] = ()

    def find(self, name: str) -> int | None:
        """The label of a file, or None if it is not listed."""
        return self.of.get(name, self.of.get(name.rpartition(".")[0]))

    def without(self, names: Iterable[str]) -> list[str]:
        """The listed names that are not among ``names``."""
        there = {*names, *(name.rpartition(".")[0] for name in names)}
        return [name for name in self.of if name not in there]


def find_labels(folder: Path, images: Iterable[str], class_ids: tuple[str, ...]) -> Labels | None:
    """The nearest list in or above ``folder`` that has any of ``images``, or None."""
    names = [basename(name) for name in images]
    for path in _listings(folder):
        labels = read_labels(path, class_ids)
        if any(labels.find(name) is not None for name in names):
            return labels
    return None


def _listings(folder: Path) -> Iterator[Path]:
    for above in [folder, *folder.absolute().parents][: FLOORS_UP + 1]:
        yield from (above / name for name in LISTINGS if (above / name).is_file())


def find_devkit(data: Path) -> dict[int, str] | None:
    """The WordNet id of each class number, from the devkit in or above a data set, or None."""
    for path in _listings(data if data.is_dir() else data.parent):
        if path.name.endswith(".gz") or path.name == GROUND_TRUTH:
            return read_devkit(path)[1]
    return None


def read_labels(path: Path, class_ids: tuple[str, ...]) -> Labels:
    """The labels that a file lists; DataError saying which line is not as it should be."""
    label_of = {class_id: label for label, class_id in enumerate(class_ids)}
    if path.name.endswith(".gz") or path.name == GROUND_TRUTH:
        return _from_devkit(path, class_ids, label_of)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of labels cannot be read: {error}.") from error
    if path.name == KAGGLE:
        return Labels(path, dict(_kaggle_rows(path, text, label_of)))
    return _from_lines(path, text, class_ids, label_of)


def _from_devkit(path: Path, class_ids: tuple[str, ...], label_of: Mapping[str, int]) -> Labels:
    numbers, wnids = read_devkit(path)
    if wnids is None:
        return resolve_indices(path, numbers, class_ids)
    unknown = sorted({number for number in numbers.values() if wnids.get(number) not in label_of})
    if unknown:
        raise DataError(
            f"{path}: the class numbers {unknown[:5]} of its ground truth are none of the "
            f"{len(class_ids)} known classes in its meta.mat. Is it the devkit of tasks 1 and 2?"
        )
    return Labels(path, {name: label_of[wnids[number]] for name, number in numbers.items()})


def _kaggle_rows(path: Path, text: str, label_of: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """(image, label) of rows such as ``ILSVRC2012_val_00048981,n03995372 85 1 499 272``."""
    for row in csv.DictReader(text.splitlines()):
        boxes = (row.get("PredictionString") or "").split()
        if not row.get("ImageId") or not boxes or boxes[0] not in label_of:
            raise DataError(
                f"{path}: expected the columns ImageId and PredictionString, the second beginning "
                f"with a known class id; found the row {list(row.values())}."
            )
        yield row["ImageId"], label_of[boxes[0]]


def _from_lines(
    path: Path, text: str, class_ids: tuple[str, ...], label_of: Mapping[str, int]
) -> Labels:
    """The labels of "file index" lines, or of "file id" ones."""
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, value = _split(line)
        if line.strip() and not (name and (value in label_of or value.isdecimal())):
            raise DataError(
                f"{path}, line {number}: expected a file name and its class index or class id; "
                f"found {line!r}."
            )
        if entries.setdefault(basename(name), value) != value:
            raise DataError(f"{path}, line {number}: {name} is listed twice, with two classes.")
    entries.pop("", None)
    if all(value in label_of for value in entries.values()):
        return Labels(path, {name: label_of[value] for name, value in entries.items()})
    mixed = next((v for v in entries.values() if not v.isdecimal()), None)
    if mixed is not None:
        raise DataError(
            f"{path}: expected class indices or class ids, found both, such as {mixed}."
        )
    return resolve_indices(path, {name: int(value) for name, value in entries.items()}, class_ids)


def _split(line: str) -> tuple[str, str]:
    """Name and value of a line, which white space or a comma separates."""
    name, _, value = line.strip().replace("\t", " ").rpartition("," if "," in line else " ")
    return name.strip(), value.strip()


def resolve_indices(path: Path, indices: Mapping[str, int], class_ids: tuple[str, ...]) -> Labels:
    """The labels that listed indices stand for.

    Their order is the sorted class ids, unless enough images have official names to show another
    one; indices that cannot be of the sorted order, without such evidence, are refused.
    """
    order = learn_order(indices) if class_ids == imagenet_1k() else None
    if order is not None:
        plain = all(index == label for index, label in order.items())
        labels = {name: order[index] for name, index in indices.items() if index in order}
        return Labels(path, labels, () if plain else (_other_order(path, len(labels)),))
    outside = [f"{n} {i}" for n, i in indices.items() if not i < len(class_ids)]
    if outside:
        raise DataError(_out_of_range(path, indices, outside, len(class_ids)))
    sure = class_ids == imagenet_1k() and agrees(indices)
    return Labels(path, indices, () if sure else (_unconfirmed(path, len(indices)),))


def _other_order(path: Path, count: int) -> Finding:
    return Finding(
        "class order",
        count,
        (),
        f"{path.name} numbers the classes in another order than the sorted ids (such as the "
        "devkit's); the images' official names show which class each number is, and that is used",
        fault=False,
    )


def _unconfirmed(path: Path, count: int) -> Finding:
    return Finding(
        "class order",
        count,
        (),
        f"{path.name} is read as class indices in the order of the sorted ids, counted from 0; "
        "the file names do not allow to check that",
        fault=False,
    )


def _out_of_range(path: Path, indices: Mapping[str, int], outside: list[str], classes: int) -> str:
    highest = max(indices.values())
    if highest == classes and min(indices.values()) > 0:
        guess = (
            "These count from 1, as the devkit's numbers do, whose order is its own: put "
            f"{DEVKIT}.tar.gz beside it in place of this file, or list class ids."
        )
    elif highest == len(indices):
        guess = "These look like line numbers, not classes: use LOC_val_solution.csv or a val.txt."
    else:
        guess = "List class ids instead of indices to be safe."
    return (
        f"{path}: expected class indices from 0 to {classes - 1} in the order of the sorted class "
        f"ids; found {len(outside):,} outside, such as {outside[0]!r}. {guess}"
    )
