"""ReaL: other labels for the validation images of ImageNet-1k, of which an image may have several.

``real.json`` is a list of 50,000 lists of labels, for ``ILSVRC2012_val_00000001.JPEG`` and so on. A
first choice is right if it is one of the image's labels, and an image without labels is left out
(Beyer et al. 2020, https://arxiv.org/abs/2006.07159, and the file's repository,
https://github.com/google-research/reassessed-imagenet). Top-5 is by the same rule: one of the five
first choices is one of the labels.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vanbench.data.layouts.images import ImageSet
from vanbench.data.layouts.labels import LEVELS_UP
from vanbench.data.layouts.official import official_number
from vanbench.data.summary import ALTERED, SUBSET, DataSummary, Finding
from vanbench.errors import DataError
from vanbench.outside.json_text import read_json
from vanbench.outside.safe_text import shorten
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.other_sets import REAL

FILE = "real.json"
MOST_BYTES = 1 << 24  # the published file has 0.4 MB
REMEDY = "Use the published real.json, or move this file away."

PUBLISHED = "bfc1582a69c135b782e87601e82a65905ea56807d8173c1a57468e5d5739e45c"
"""The digest of the published labels, from the copy of them that timm 1.0 ships."""


@dataclass(frozen=True)
class RealLabels:
    """The right labels of images by their index, for those that have any; from ``path``."""

    path: Path
    digest: str
    of: Mapping[int, frozenset[int]]

    @property
    def is_published(self) -> bool:
        """Whether the file has the published labels, whatever its layout."""
        return self.digest == PUBLISHED

    def among(self, indices: Iterable[int]) -> dict[int, frozenset[int]]:
        """The labels of those at ``indices`` that have any."""
        return {index: self.of[index] for index in indices if index in self.of}

    def summary(self, data: DataSummary, images: ImageSet, used: int) -> DataSummary:
        """What is recorded of ``used`` images with labels, from what is recorded of all."""
        names = {images.names[index] for index in self.of}
        text = f"{self.path.name} does not have the published labels"
        altered = () if self.is_published else (Finding("labels", 1, (), text),)
        verdict = ALTERED if altered and data.verdict != SUBSET else data.verdict
        return replace(
            data,
            layout=f"{data.layout}, labels in {self.path.name}",
            images=used,
            verdict=verdict,
            fingerprint=hashlib.sha256(f"{data.fingerprint} {self.digest}".encode()).hexdigest(),
            problems=(*data.problems, *altered),
            used=used,
            total=len(self.of),
            unreadable={name: why for name, why in data.unreadable.items() if name in names},
            other_set=REAL,
        )


def find_real_labels(images: ImageSet) -> RealLabels | None:
    """The labels in the nearest ``real.json`` in or above a validation set of ImageNet-1k, or None.

    They belong to images by their official names. DataError if the file has another form.
    """
    if images.class_ids != imagenet_1k() or images.other_set:
        return None
    numbers = {index: official_number(name) for index, name in enumerate(images.names)}
    path = _nearest(images.path)
    if path is None or not any(numbers.values()):
        return None
    labels = _read(path)
    found = {i: labels[n - 1] for i, n in numbers.items() if n is not None and labels[n - 1]}
    return RealLabels(path, _digest(labels), found)


def _nearest(data: Path) -> Path | None:
    folder = data.absolute() if os.path.isdir(data) else data.absolute().parent
    for above in [folder, *folder.parents][: LEVELS_UP + 1]:
        path = above / FILE
        if os.path.lexists(path) and not os.path.isdir(path):
            return path
    return None


def _read(path: Path) -> list[frozenset[int]]:
    value = read_json(path, most=MOST_BYTES, error=DataError, what="list of labels", remedy=REMEDY)
    if not isinstance(value, list) or len(value) != VALIDATION_IMAGES:
        found = f"a list of {len(value):,}" if isinstance(value, list) else shorten(str(value))
        problem = f"expected a list of {VALIDATION_IMAGES:,} lists of labels, found {found}"
        raise DataError(problem, where=path, remedy=REMEDY)
    return [_labels(path, number, labels) for number, labels in enumerate(value, 1)]


def _labels(path: Path, number: int, labels: Any) -> frozenset[int]:
    sound = isinstance(labels, list) and all(type(n) is int and 0 <= n < 1000 for n in labels)
    if not sound:
        problem = f"expected a list of labels from 0 to 999, found {shorten(str(labels))}"
        raise DataError(problem, where=f"{path}, image {number:,}", remedy=REMEDY)
    return frozenset(labels)


def _digest(labels: Iterable[frozenset[int]]) -> str:
    """SHA-256 over a line for each image, of its labels in order, with spaces between them."""
    lines = "".join(" ".join(map(str, sorted(some))) + "\n" for some in labels)
    return hashlib.sha256(lines.encode()).hexdigest()
