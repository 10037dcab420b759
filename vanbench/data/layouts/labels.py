"""Files that list the labels of images: which class each file name has.

Three kinds are read: "file index" or "file id" lines (``val.txt``), Kaggle's
``LOC_val_solution.csv``, and the devkit's ground truth.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from vanbench.data.layouts.classes import Labels, labels_by_id, resolve_classes
from vanbench.data.layouts.devkit import GROUND_TRUTH, read_devkit
from vanbench.data.layouts.images import basename
from vanbench.data.layouts.official import official_label, official_stem
from vanbench.errors import DataError
from vanbench.outside.csv_rows import csv_rows
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.outside.text import lines_of, read_text
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k

KAGGLE = "LOC_val_solution.csv"
DEVKIT = "ILSVRC2012_devkit_t12"

# Where a list is looked for, from a folder of images or one above it, in this order.
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
MOST_BYTES = 1 << 26  # of a list of labels; the one of ImageNet-21k has about 20 MB
MOST_LINES = 2_000_000
LONGEST_LINE = 1 << 16  # characters; a row of Kaggle's list names every box in the image
TEXT_FILE = "A list of labels is a text file in UTF-8."
LEVELS_UP = 4  # Kaggle's CSV is that far above ILSVRC/Data/CLS-LOC/val


def find_labels(folder: Path, images: Iterable[str], class_ids: tuple[str, ...]) -> Labels | None:
    """The nearest list in or above ``folder`` that has any of ``images``, or None."""
    names = list(images)
    for path in find_listings(folder):
        labels = read_labels(path, class_ids)
        if any(labels.find(name) is not None for name in names):
            return labels
    return None


def find_listings(folder: Path) -> Iterator[Path]:
    """The lists of labels in ``folder`` and above it, nearest first."""
    for above in [folder, *folder.absolute().parents][: LEVELS_UP + 1]:
        yield from (above / name for name in LISTINGS if _is_there(above / name))


def _is_there(path: Path) -> bool:
    """Whether a file is there, or something that only looks like one, such as a named pipe.

    Whoever reads it gets the error that says what it is.
    """
    return os.path.lexists(path) and not os.path.isdir(path)


def find_devkit(data: Path) -> dict[int, str] | None:
    """The WordNet id of each class number of the devkit in or above a data set, or None."""
    for path in find_listings(data if data.is_dir() else data.parent):
        if is_devkit(path):
            return {n: imagenet_1k()[label] for n, label in read_devkit(path).items()}
    return None


def is_devkit(path: Path) -> bool:
    """Whether a list is the devkit or its ground truth, by its name."""
    return path.name.endswith(".gz") or path.name == GROUND_TRUTH


def read_labels(path: Path, class_ids: tuple[str, ...]) -> Labels:
    """The labels that a file lists; DataError saying which line cannot be used."""
    if is_devkit(path):
        return Labels(path, _devkit_labels(path, class_ids))
    text = read_text(path, most=MOST_BYTES, error=DataError, remedy=TEXT_FILE)
    if (count := text.count("\n")) > MOST_LINES:
        problem = f"expected at most {MOST_LINES:,} lines, found {count:,}"
        raise DataError(problem, where=path, remedy=TEXT_FILE)
    lines = lines_of(text, where=path, error=DataError, longest=LONGEST_LINE)
    if path.name == KAGGLE:
        return Labels(path, dict(_kaggle_rows(path, lines, labels_by_id(class_ids))))
    return resolve_classes(path, _read_lines(path, lines), class_ids)


def _devkit_labels(path: Path, class_ids: tuple[str, ...]) -> dict[str, int]:
    """The label of each validation image, after the devkit is checked against them."""
    read_devkit(path)
    label_of = labels_by_id(class_ids)
    absent = [wnid for wnid in imagenet_1k() if wnid not in label_of]
    if absent:
        raise DataError(
            f"the devkit lists images of {len(absent):,} classes that are not among the "
            f"{len(class_ids):,} of the protocol, such as {absent[0]}",
            where=path,
            remedy="Use a list of the images of these classes only, or class folders.",
        )
    stems = (official_stem(number) for number in range(1, VALIDATION_IMAGES + 1))
    labels = ((stem, official_label(stem)) for stem in stems)
    return {stem: label_of[imagenet_1k()[label]] for stem, label in labels if label is not None}


def _kaggle_rows(
    path: Path, lines: Iterable[str], label_of: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    """(image, label) of rows such as ``ILSVRC2012_val_00048981,n03995372 85 1 499 272``."""
    remedy = "Use the file as Kaggle publishes it."
    columns = ("ImageId", "PredictionString")
    rows = csv_rows(lines, columns=columns, where=path, error=DataError, remedy=remedy)
    for number, row in rows:
        name, boxes = (row[column] for column in columns)
        class_id = boxes.split(maxsplit=1)[0] if boxes.strip() else ""
        if not name or class_id not in label_of:
            raise DataError(
                "expected the columns ImageId and PredictionString, the second beginning with a "
                f"known class id; found {shorten(name)} and {shorten(boxes)}",
                where=f"{path}, line {number}",
                remedy=remedy,
            )
        yield name, label_of[class_id]


def _read_lines(path: Path, lines: Iterable[str]) -> dict[str, str]:
    """The class as written by file name, from lines of a file and its class index or class id.

    The folders in front of a file name are ignored, whether slashes or backslashes separate them.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, value = _split(line)
        if not (name and value):
            problem = f"expected a file name and its class index or class id; found {shorten(line)}"
            raise DataError(problem, where=f"{path}, line {number}", remedy="Correct the line.")
        if entries.setdefault(basename(name), value) != value:
            problem = f"{for_terminal(name, most=100)} is listed twice, with two classes"
            raise DataError(problem, where=f"{path}, line {number}", remedy="Remove one of them.")
    return entries


def _split(line: str) -> tuple[str, str]:
    """Name and value of a line, separated by white space or a comma."""
    name, _, value = line.strip().replace("\t", " ").rpartition("," if "," in line else " ")
    return name.strip(), value.strip()
