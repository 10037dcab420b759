"""What a data set is, before any model runs on it: counts, faults, verdict, fingerprint."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vanbench.layouts.images import Finding, ImageSet
from vanbench.zoo import Protocol

OFFICIAL, ALTERED, SUBSET, CUSTOM = "official", "altered", "subset", "custom"
IMAGES, PER_CLASS = 50_000, 50  # ImageNet-1k's validation set


@dataclass(frozen=True)
class DataReport:
    """What a data set is.

    ``verdict`` is ``official`` (50,000 sound images, 50 in each of the 1,000 classes), ``subset``
    (fewer of them), ``altered`` (anything that these cannot have) or, for class ids other than
    ImageNet's, ``custom``. ``content`` has the SHA-256 of each image that was read, by its index.
    """

    layout: str
    path: str
    images: int
    classes: int
    verdict: str
    fingerprint: str
    problems: tuple[Finding, ...]
    content: dict[int, str]

    def as_dict(self) -> dict:
        """The JSON form, without the hash of every image."""
        return {
            "layout": self.layout,
            "path": self.path,
            "images": self.images,
            "classes": self.classes,
            "verdict": self.verdict,
            "fingerprint": self.fingerprint,
            "problems": [problem.as_dict() for problem in self.problems],
        }


def inspect(
    images: ImageSet,
    *,
    indices: Sequence[int] | None = None,
    decode: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataReport:
    """Read every image at ``indices`` (default: all) and say what the data set is."""
    indices = range(len(images)) if indices is None else indices
    content = {}
    for done, index in enumerate(indices, 1):
        content[index] = hashlib.sha256(images.read(index)).hexdigest()
        if progress:
            progress(done, len(indices))
    counts = Counter(images.labels[index] for index in indices)
    return DataReport(
        layout=images.layout,
        path=str(images.path),
        images=len(indices),
        classes=len(counts),
        verdict=judge(images, counts, images.findings),
        fingerprint=fingerprint(
            (images.class_ids[images.labels[index]], sha256) for index, sha256 in content.items()
        ),
        problems=images.findings,
        content=content,
    )


def fingerprint(lines: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted lines ``<class id> <SHA-256 of the encoded image>``.

    It depends on the images and their classes, not on names, order or layout.
    """
    text = "".join(sorted(f"{class_id} {sha256}\n" for class_id, sha256 in lines))
    return hashlib.sha256(text.encode()).hexdigest()


def judge(images: ImageSet, counts: Counter[int], problems: Iterable[Finding]) -> str:
    """The verdict on a set with these images per label and these problems."""
    if any(problem.fault for problem in problems):
        return ALTERED
    whole = len(counts) == len(images.class_ids)
    if images.class_ids != Protocol().class_ids:
        return CUSTOM if whole else SUBSET
    if max(counts.values(), default=0) > PER_CLASS:
        return ALTERED
    return OFFICIAL if counts.total() == IMAGES else SUBSET
