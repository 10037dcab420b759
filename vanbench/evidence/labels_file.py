"""The images of a data set and their labels, as a file that all models over the set share.

Each row is the SHA-256 of an encoded image (32 bytes, zeros for an image that could not be read)
and its label (little-endian uint16). Rows are sorted. Nothing else of an image is kept, no name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from struct import Struct

from vanbench.data.fingerprint import fingerprint
from vanbench.evidence.rows_file import SCHEMA, Form, UnexpectedError, join, split
from vanbench.zoo.class_ids import imagenet_1k

ID_BYTES = 8
"""How many bytes of an image's SHA-256 are its id.

Two of n images have the same one by chance in n²/2⁶⁵ of all sets: 7·10⁻¹¹ for 50,000 images.
"""

MOST_CLASSES = 0xFFFF
UNREAD = bytes(32)
"""In place of the SHA-256 of an image that could not be read."""

_ROW = Struct("<32sH")
FORM = Form("vanbench-labels", _ROW.size, 4_000_000)

Row = tuple[bytes, int]


@dataclass(frozen=True)
class _Header:
    classes: str | tuple[str, ...]
    format: str
    rows: int
    schema: int


@dataclass(frozen=True)
class Labels:
    """The images of a data set: SHA-256 and label of each, sorted.

    ``classes`` are the class ids that the labels count in, or ``imagenet-1k``.
    """

    classes: str | tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def class_ids(self) -> tuple[str, ...]:
        """The id of each class, in label order."""
        return self.classes if isinstance(self.classes, tuple) else imagenet_1k()

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the data set, as records have it."""
        ids = self.class_ids
        return fingerprint(
            (ids[label], None if sha256 == UNREAD else sha256.hex()) for sha256, label in self.rows
        )

    @cached_property
    def per_class(self) -> Counter[int]:
        """How many images each label has."""
        return Counter(label for _, label in self.rows)

    def contents(self) -> Iterator[bytes]:
        """The SHA-256 of each image that could be read, once, in order."""
        before = UNREAD
        for sha256, _ in self.rows:
            if sha256 != before:
                yield sha256
            before = sha256


def labels_of(classes: str | tuple[str, ...], images: Iterable[tuple[str | None, int]]) -> Labels:
    """The labels of images, of which each has its SHA-256 in hex (None: unread) and its label."""
    rows = sorted((UNREAD if sha256 is None else bytes.fromhex(sha256), n) for sha256, n in images)
    return _checked(Labels(classes, tuple(rows)))


def encode(labels: Labels) -> bytes:
    """The content of the file."""
    header = _Header(labels.classes, FORM.format, len(labels.rows), SCHEMA)
    return join(FORM, header, (_ROW.pack(*row) for row in labels.rows))


def decode(content: bytes) -> Labels:
    """The labels in a file; UnexpectedError if it is none that ``encode`` wrote."""
    header, rows = split(FORM, _Header, content)
    if isinstance(header.classes, str) and header.classes != "imagenet-1k":
        raise UnexpectedError("classes", "a list, or imagenet-1k", repr(header.classes))
    return _checked(Labels(header.classes, tuple(_ROW.iter_unpack(rows))))


def _checked(labels: Labels) -> Labels:
    """The same labels; UnexpectedError if they are not sorted, or not those of a data set."""
    classes = len(labels.class_ids)
    if not 0 < classes <= MOST_CLASSES:
        raise UnexpectedError("classes", f"1 to {MOST_CLASSES:,}", f"{classes:,}")
    for number, (before, row) in enumerate(pairwise(labels.rows), 2):
        if before > row:
            raise UnexpectedError(f"row {number:,}", "rows in order", "a smaller one")
    if labels.rows and max(label for _, label in labels.rows) >= classes:
        raise UnexpectedError("labels", f"at most {classes - 1:,}", "a larger one")
    for one, other in pairwise(labels.contents()):
        if one[:ID_BYTES] == other[:ID_BYTES]:
            found = f"{one.hex()} and {other.hex()}"
            raise UnexpectedError("images", f"other first {ID_BYTES} bytes of each SHA-256", found)
    return labels
