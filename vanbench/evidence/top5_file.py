"""The five first choices of a model for each image of a data set, as a file.

Each row is the id of an image (the first 8 bytes of its SHA-256) and five class indices (little-
endian uint16), best first. A model with fewer classes has 0xFFFF in place of the others, and so has
an image that could not be decoded in all five. Images with the same bytes have one row. Rows are in
the order of their ids.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct
from typing import Any

from vanbench.evidence.labels_file import ID_BYTES, MOST_CLASSES, UNREAD, Labels
from vanbench.evidence.rows_file import SCHEMA, Form, UnexpectedError, join, split
from vanbench.prediction_store.prediction import TOP, Tally

NONE = 0xFFFF
_ROW = Struct(f"<{ID_BYTES}s{TOP}H")
FORM = Form("vanbench-top5", _ROW.size, 4096)

Top = tuple[int, ...]
NO_CHOICE: Top = ()
"""For an image that could not be decoded."""


@dataclass(frozen=True)
class About:
    """Whose choices they are: the model of a zoo, its file, and how it computed.

    ``checkpoint`` is the SHA-256 of the file, ``weights`` the kind of its weights, ``labels`` the
    SHA-256 of the file with the labels of the images, ``classes`` how many classes there are.
    """

    zoo: str
    model: str
    checkpoint: str
    weights: str
    precision: str
    labels: str
    classes: int


@dataclass(frozen=True)
class _Header:
    checkpoint: str
    classes: int
    format: str
    labels: str
    model: str
    precision: str
    rows: int
    schema: int
    weights: str
    zoo: str


@dataclass(frozen=True)
class Top5:
    """The first choices for each image, by the id of the image in order."""

    about: About
    rows: tuple[tuple[bytes, Top], ...]


def top5_of(about: About, choices: Mapping[bytes, Top]) -> Top5:
    """The choices for images, by the SHA-256 of each."""
    rows = sorted((sha256[:ID_BYTES], top) for sha256, top in choices.items())
    return _checked(Top5(about, tuple(rows)))


def encode(top5: Top5) -> bytes:
    """The content of the file."""
    header = _Header(format=FORM.format, rows=len(top5.rows), schema=SCHEMA, **vars(top5.about))
    missing = [(NONE,) * (TOP - n) for n in range(TOP + 1)]
    rows = (_ROW.pack(image, *top, *missing[len(top)]) for image, top in top5.rows)
    return join(FORM, header, rows)


def decode(content: bytes) -> Top5:
    """The choices in a file; UnexpectedError if it is none that ``encode`` wrote."""
    header, rows = split(FORM, _Header, content)
    own = ("format", "rows", "schema")
    about = About(**{name: value for name, value in vars(header).items() if name not in own})
    return _checked(Top5(about, tuple(_unpacked(_ROW.iter_unpack(rows)))))


def _unpacked(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[bytes, Top]]:
    for image, *top in rows:
        number = top.index(NONE) if NONE in top else TOP
        if any(label != NONE for label in top[number:]):
            raise UnexpectedError(f"image {image.hex()}", "choices without a gap", top)
        yield image, tuple(top[:number])


def _checked(top5: Top5) -> Top5:
    """The same choices; UnexpectedError if no model can have made them, or if they are unsorted."""
    classes = top5.about.classes
    if not 0 < classes <= MOST_CLASSES:
        raise UnexpectedError("classes", f"1 to {MOST_CLASSES:,}", f"{classes:,}")
    whole = min(TOP, classes)
    for image, top in top5.rows:
        if len(top) not in (0, whole) or len(set(top)) != len(top):
            raise UnexpectedError(f"image {image.hex()}", f"{whole} distinct classes, or none", top)
        if top and max(top) >= classes:
            raise UnexpectedError(f"image {image.hex()}", f"classes below {classes:,}", top)
    for (before, _), (image, _) in pairwise(top5.rows):
        if before >= image:
            raise UnexpectedError(f"image {image.hex()}", "ids in order, each once", before.hex())
    return top5


def count(labels: Labels, top5: Top5) -> Tally:
    """The counts that follow; UnexpectedError if the two are not about the same images."""
    return Tally.of((label, top) for label, top in answers(labels, top5))


def answers(labels: Labels, top5: Top5) -> Iterator[tuple[int, Top]]:
    """The label of each image with the choices for it; UnexpectedError if the images differ."""
    rows = iter(top5.rows)
    image, top = UNREAD[:ID_BYTES], NO_CHOICE
    before = UNREAD
    for sha256, label in labels.rows:
        if sha256 != before:
            before = sha256
            image, top = next(rows, (b"", NO_CHOICE))
            if image != sha256[:ID_BYTES]:
                found = image.hex() or "the end"
                raise UnexpectedError("images", f"{sha256[:ID_BYTES].hex()} of the labels", found)
        yield label, top
    if (left := next(rows, None)) is not None:
        raise UnexpectedError("images", "the end, as in the labels", left[0].hex())
