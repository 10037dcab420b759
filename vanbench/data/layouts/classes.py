"""From classes as they are written, as ids or as indices, to labels.

A label is an index into the class ids of the protocol. An index that somebody wrote down may count
in another order; the images' official names show which one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanbench.data.layouts.images import basename
from vanbench.data.layouts.official import agrees, learn_order
from vanbench.data.summary import CLASS_ORDER, UNCONFIRMED_ORDER, Finding
from vanbench.errors import DataError
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.zoo.class_ids import imagenet_1k

MOST_DIGITS = 9  # of a class index


@dataclass(frozen=True)
class Labels:
    """The label of each image that ``path`` lists, by name, and what was noticed about them."""

    path: Path
    of: Mapping[str, int]
    findings: tuple[Finding, ...] = ()

    def find(self, name: str) -> int | None:
        """The label of a file, listed with or without its suffix, or None."""
        name = basename(name)
        return self.of.get(name, self.of.get(name.rpartition(".")[0]))

    def missing(self, names: Iterable[str]) -> list[str]:
        """The listed names that are not among ``names``."""
        there = {basename(name) for name in names}
        there |= {name.rpartition(".")[0] for name in there}
        return [name for name in self.of if name not in there]


def labels_by_id(class_ids: Sequence[str]) -> dict[str, int]:
    """The label of each class id."""
    return {class_id: label for label, class_id in enumerate(class_ids)}


def resolve_classes(path: Path, written: Mapping[str, str], class_ids: tuple[str, ...]) -> Labels:
    """The labels of images whose classes are written as class ids, or all of them as indices.

    DataError naming the first image whose class is neither.
    """
    label_of = labels_by_id(class_ids)
    unknown = {name: text for name, text in written.items() if text not in label_of}
    if not unknown:
        return Labels(path, {name: label_of[text] for name, text in written.items()})
    wrong = {name: text for name, text in unknown.items() if not _is_index(text)}
    if wrong or len(unknown) < len(written):
        name, text = next(iter((wrong or unknown).items()))
        raise DataError(
            "expected a known class id for each image, or an index for each; "
            f"found {shorten(text)} for {for_terminal(name, most=100)}",
            where=path,
            remedy=f"A known class id is, for example, {class_ids[0]}.",
        )
    return resolve_indices(path, {name: int(text) for name, text in unknown.items()}, class_ids)


def _is_index(text: str) -> bool:
    return text.isdecimal() and len(text) <= MOST_DIGITS


def resolve_indices(path: Path, indices: Mapping[str, int], class_ids: tuple[str, ...]) -> Labels:
    """The labels that indices stand for.

    Their order is that of the class ids, unless enough images have official names that show
    another one. DataError if an index is outside the order of the class ids.
    """
    order = learn_order(indices) if class_ids == imagenet_1k() else None
    if order is not None:
        same = all(index == label for index, label in order.items())
        labels = {name: order[index] for name, index in indices.items() if index in order}
        return Labels(path, labels, () if same else (_other_order(path, len(labels)),))
    outside = [
        f"{for_terminal(n, most=100)} {i}" for n, i in indices.items() if not i < len(class_ids)
    ]
    if outside:
        raise _out_of_range(path, indices, outside, len(class_ids))
    sure = class_ids == imagenet_1k() and agrees(indices)
    return Labels(path, indices, () if sure else (_unconfirmed(path, len(indices)),))


def _other_order(path: Path, count: int) -> Finding:
    return Finding(
        CLASS_ORDER,
        count,
        (),
        f"{path.name} numbers the classes in another order than the sorted ids (such as the "
        "devkit's); the images' official names show which class each number is, and that is used",
        fault=False,
    )


def _unconfirmed(path: Path, count: int) -> Finding:
    return Finding(
        UNCONFIRMED_ORDER,
        count,
        (),
        f"{path.name} is read as class indices in the order of the sorted ids, counted from 0; "
        "this cannot be checked, because the images do not have official names",
        fault=False,
    )


def _out_of_range(
    path: Path, indices: Mapping[str, int], outside: Sequence[str], classes: int
) -> DataError:
    highest = max(indices.values())
    if highest == classes and min(indices.values()) > 0:
        remedy = (
            "These indices count from 1, as the devkit's do, which are in an order of their own. "
            "Use the devkit in place of this file, or list class ids."
        )
    elif highest == len(indices):
        remedy = "These look like line numbers, not classes. Use LOC_val_solution.csv or a val.txt."
    else:
        remedy = "List class ids instead of indices."
    return DataError(
        f"expected class indices from 0 to {classes - 1} in the order of the sorted class ids, "
        f"found {len(outside):,} outside, such as {outside[0]!r}",
        where=path,
        remedy=remedy,
    )
