"""Checking a data set before any model runs on it: counts, faults, verdict, fingerprint.

Every image is read once, in threads: reading, hashing and decoding all release Python's lock.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from vanbench.data.data_json import DataJson
from vanbench.data.decode import JPEG_START, check_header
from vanbench.data.decode import decode as decode_image
from vanbench.data.fingerprint import fingerprint
from vanbench.data.jpeg import missing_data
from vanbench.data.layouts.images import ImageSet
from vanbench.data.preprocess import resized
from vanbench.data.published import PUBLISHED, Archive, compare_with_archive
from vanbench.data.real_labels import RealLabels, find_real_labels
from vanbench.data.summary import (
    ALTERED,
    BROKEN_KINDS,
    CUSTOM,
    MISSING,
    OFFICIAL,
    SUBSET,
    TRUNCATED,
    DataSummary,
    Finding,
    encodable,
    finding,
)
from vanbench.devices import available_cores
from vanbench.errors import DataError
from vanbench.progress import Update, counted, ignore
from vanbench.typed_json import to_json
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.other_sets import OTHER_SETS, title_of

PER_CLASS = VALIDATION_IMAGES // len(imagenet_1k())
CHUNK = 64  # images between two reports of progress
MOST_THREADS = 16

FILE_FAULTS = {
    "empty": "{n} {file is|files are} empty (zero bytes)",
    "unreadable": "{n} {file|files} cannot be read",
    TRUNCATED: "{n} JPEG {file has|files have} lost a part of the data, which decoders fill in",
    "damaged": "{n} {file is not a complete image|files are not complete images} of a usable size",
}


@dataclass(frozen=True)
class DataReport:
    """What was found about a data set.

    ``verdict`` for the classes of ImageNet-1k: ``official`` (50,000 images, 50 in each of the 1,000
    classes, that together have the size of the published archive), ``subset`` (fewer images and
    no fault), or ``altered`` (a fault). Another test set for these classes is ``official`` if it
    has the number of images that its authors name, in all of its classes. For other classes:
    ``custom``, or ``altered``, or ``subset`` if images of the set are missing or were not looked
    at.

    ``other_set`` is the key of another test set (``zoo.other_sets``), None if it is none. ``real``
    has the labels of ImageNet-ReaL, None if there are none near the images.
    ``of_classes`` is how many classes images can have, ``classes`` how many have any.
    ``whole`` says that broken images are the only faults and no image is missing. ``decoded`` says
    whether every image was decoded, not only its header read. ``content`` has the SHA-256 of each
    image by its index, without those that could not be read.
    """

    layout: str
    path: str
    images: int
    classes: int
    of_classes: int
    verdict: str
    fingerprint: str
    problems: tuple[Finding, ...]
    whole: bool
    decoded: bool
    content: Mapping[int, str]
    other_set: str | None = None
    real: RealLabels | None = None

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The problems because of which the set is not the one that it should be."""
        return tuple(problem for problem in self.problems if problem.fault)

    @property
    def sentence(self) -> str:
        """The verdict and what it is about, in one sentence without a period."""
        title = title_of(self.other_set) if self.other_set else "ImageNet-1k"
        of = f" of {title}" if self.other_set else ""
        where = f"in {self.classes:,} of {self.of_classes:,} classes{of}"
        per_class = _per_class(self.other_set)
        if self.verdict == OFFICIAL and per_class:
            where = f"{per_class} in each of the {self.of_classes:,} classes of {title}"
        faults = len(self.faults)
        found = {0: "without a fault", 1: "with a fault"}.get(faults, f"with {faults} faults")
        return f"{self.verdict}: {counted(self.images, 'image')}, {where}, {found}"

    def summary(self, total: int, unreadable: Mapping[str, str]) -> DataSummary:
        """What is recorded of these images, of a set that has ``total``."""
        return DataSummary(
            layout=self.layout,
            images=self.images,
            classes=self.classes,
            verdict=self.verdict,
            fingerprint=self.fingerprint,
            whole=self.whole,
            decoded=self.decoded,
            problems=self.problems,
            used=self.images,
            total=total,
            unreadable=unreadable,
            other_set=self.other_set,
        )

    def as_json(self) -> DataJson:
        """The JSON form, without the hash of every image."""
        return {
            "layout": self.layout,
            "path": self.path,
            "images": self.images,
            "classes": self.classes,
            "of_classes": self.of_classes,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "fingerprint": self.fingerprint,
            "whole": self.whole,
            "decoded": self.decoded,
            "other_set": self.other_set,
            "real_labels": len(self.real.of) if self.real else None,
            "problems": [to_json(problem) for problem in self.problems],
        }


@dataclass(frozen=True)
class Check:
    """One image: its hash and size in bytes if it could be read, and what is wrong with it."""

    index: int
    sha256: str | None
    size: int = 0
    fault: str = ""
    reason: str = ""


def inspect(
    images: ImageSet,
    *,
    indices: Sequence[int] | None = None,
    protocol: EvaluationProtocol | None = None,
    decode: bool = False,
    workers: int | None = None,
    progress: Update = ignore,
    published: Archive = PUBLISHED,
) -> DataReport:
    """Read every image at ``indices`` (default: all) once and report what was found.

    Headers are always checked, also for whether ``protocol`` can resize an image of that size;
    ``decode`` decodes every image in full. ``progress`` is called with (done, total).
    ``published`` is the archive that 50,000 images of ImageNet-1k must come from. Nothing is raised
    for a broken image: it is in the report. DataError for a ``real.json`` that cannot be used.
    """
    chosen = range(len(images)) if indices is None else indices
    how = partial(_check_content, decode, protocol or EvaluationProtocol())
    checks = list(_check_all(images, chosen, how, workers or default_threads(), progress))
    content = {check.index: check.sha256 for check in checks if check.sha256 is not None}
    counts = Counter(images.labels[index] for index in chosen)
    problems = [
        *images.findings,
        *_broken(images, checks),
        *_counts(images, counts),
        *_duplicates(images, content),
    ]
    if images.other_set is None and data_verdict(images, counts, problems) == OFFICIAL:
        problems += compare_with_archive(published, images, [check.size for check in checks])
    unbroken = [problem for problem in problems if problem.kind not in BROKEN_KINDS]
    return DataReport(
        layout=images.layout,
        path=encodable(str(images.path)),
        images=len(chosen),
        classes=len(counts),
        of_classes=len(images.among or images.class_ids),
        verdict=data_verdict(images, counts, problems),
        fingerprint=fingerprint(
            (images.class_ids[images.labels[index]], content.get(index)) for index in chosen
        ),
        problems=tuple(problems),
        whole=data_verdict(images, counts, unbroken) in (OFFICIAL, CUSTOM),
        decoded=decode,
        content=content,
        other_set=images.other_set,
        real=find_real_labels(images),
    )


def refuse_broken(report: DataReport) -> None:
    """DataError naming the images that cannot be used, if there are any."""
    broken = [problem for problem in report.problems if problem.kind in BROKEN_KINDS]
    if broken:
        raise DataError(
            "; ".join(map(str, broken)),
            where=report.path,
            remedy="Replace them, or count such images as wrong with --on-error count-wrong.",
        )


def default_threads() -> int:
    """Threads for reading: one per core that this process may use, within reason."""
    return min(MOST_THREADS, available_cores())


def data_verdict(images: ImageSet, counts: Counter[int], problems: Iterable[Finding]) -> str:
    """The verdict on a set with these images per label and these problems."""
    problems = list(problems)
    if any(problem.fault for problem in problems):
        return ALTERED
    if images.other_set:
        whole = len(counts) == len(images.among or images.class_ids)
        enough = counts.total() == OTHER_SETS[images.other_set].images
        return OFFICIAL if enough and whole else SUBSET
    if images.class_ids == imagenet_1k():
        return OFFICIAL if counts.total() == VALIDATION_IMAGES else SUBSET
    incomplete = any(problem.kind == MISSING for problem in problems)
    return SUBSET if incomplete or counts.total() < len(images) else CUSTOM


def _check_all(
    images: ImageSet,
    indices: Sequence[int],
    check_content: Callable[[bytes], str],
    threads: int,
    progress: Update,
) -> Iterator[Check]:
    """The check of each image, in the order in which they are stored."""
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        ordered = images.storage_order(indices)
        chunks = [ordered[at : at + CHUNK] for at in range(0, len(ordered), CHUNK)]
        check_chunk = partial(_check_chunk, images, check_content)
        for checks in pool.map(check_chunk, chunks):
            yield from checks
            done += len(checks)
            progress(done, len(indices))


def _check_chunk(
    images: ImageSet, check_content: Callable[[bytes], str], indices: Sequence[int]
) -> list[Check]:
    return [_check(images, index, check_content) for index in indices]


def _check(images: ImageSet, index: int, check_content: Callable[[bytes], str]) -> Check:
    """Read one image, hash it, look at its header or decode it."""
    try:
        encoded = images.read(index)
    except DataError as error:
        return Check(index, None, 0, "unreadable", error.problem)
    sha256 = hashlib.sha256(encoded).hexdigest()
    if not encoded:
        return Check(index, sha256, 0, "empty")
    try:
        missing = check_content(encoded)
    except DataError as error:
        return Check(index, sha256, len(encoded), "damaged", error.problem)
    return Check(index, sha256, len(encoded), TRUNCATED if missing else "", missing)


def _check_content(decode: bool, protocol: EvaluationProtocol, encoded: bytes) -> str:
    """What is known to be missing; DataError if the protocol cannot take the image at all."""
    if not decode:
        resized(check_header(encoded), protocol)
        return ""
    image = decode_image(encoded)
    resized(image.size, protocol)
    return missing_data(encoded, image) if encoded.startswith(JPEG_START) else ""


def _broken(images: ImageSet, checks: Iterable[Check]) -> list[Finding]:
    """A finding for each kind of fault that an image can have."""
    found: dict[str, list[str]] = {kind: [] for kind in FILE_FAULTS}
    for check in checks:
        if check.fault:
            name = images.names[check.index]
            found[check.fault].append(f"{name}: {check.reason}" if check.reason else name)
    return [f for kind, text in FILE_FAULTS.items() for f in finding(kind, found[kind], text)]


def _counts(images: ImageSet, counts: Counter[int]) -> list[Finding]:
    """Classes without images; those with fewer or more than each has, where that is one number."""
    ids = images.class_ids
    labels = images.among or range(len(ids))
    absent = [ids[label] for label in labels if not counts[label]]
    text = f"{{n}} of {len(labels):,} classes {{has|have}} no images"
    found = finding("missing class", absent, text, fault=False)
    found += _too_many(images, counts.total())
    per_class = _per_class(images.other_set) if ids == imagenet_1k() else None
    if per_class is None:
        return found
    few = [f"{ids[label]}: {n}" for label, n in counts.items() if n < per_class]
    many = [f"{ids[label]}: {n}" for label, n in counts.items() if n > per_class]
    text = f"{{n}} {{class has|classes have}} {{}} than {per_class} images"
    return [
        *found,
        *finding("few images", few, text.replace("{}", "fewer"), fault=False),
        *finding("many images", many, text.replace("{}", "more")),
    ]


def _too_many(images: ImageSet, total: int) -> list[Finding]:
    """A fault if another test set has more images than its authors name."""
    one = OTHER_SETS[images.other_set] if images.other_set else None
    if one is None or total <= one.images:
        return []
    text = f"{total:,} images, where {one.title} has {one.images:,}"
    return [Finding("many images", total - one.images, (), text)]


def _per_class(other_set: str | None) -> int | None:
    """How many images each class of a set for ImageNet-1k's classes has; None if that differs."""
    return OTHER_SETS[other_set].per_class if other_set else PER_CLASS


def _duplicates(images: ImageSet, content: Mapping[int, str]) -> list[Finding]:
    """Images with the same bytes as an earlier one; worse when their classes differ."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index in sorted(content):
        groups[content[index]].append(index)
    same: list[str] = []
    other: list[str] = []
    for first, *copies in groups.values():
        for copy in copies:
            pair = f"{images.names[copy]} = {images.names[first]}"
            (same if images.labels[copy] == images.labels[first] else other).append(pair)
    text = "{n} {image has|images have} the same bytes as another one"
    return [
        *finding("duplicate", same, f"{text} of their class", fault=False),
        *finding("duplicate in another class", other, f"{text} of another class", fault=False),
    ]
