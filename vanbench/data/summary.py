"""What is recorded of a data set and of the image decoder: plain numbers and texts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vanbench.progress import in_number

EXAMPLES = 5  # how many names a finding shows
LONGEST = 500  # characters of a finding's message, and of each example

# Verdicts on a data set; inspect.DataReport says when.
OFFICIAL, ALTERED, SUBSET, CUSTOM = "official", "altered", "subset", "custom"

# Kinds of findings that other modules look for.
BROKEN_KINDS = ("empty", "unreadable", "damaged")
CLASS_ORDER, UNCONFIRMED_ORDER = "class order", "unconfirmed class order"
MISSING = "missing"
TRUNCATED = "truncated"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a data set, or worth a note.

    ``kind`` is a short name, ``count`` how often it was found, ``examples`` the first few. With a
    ``fault``, the set is not the one that it should be; anything else is a note. Both texts can be
    encoded as UTF-8, and long ones are cut.
    """

    kind: str
    """A short name of what was found."""
    count: int
    """How often it was found."""
    examples: tuple[str, ...]
    """The first few names that it is about."""
    message: str
    """What was found, in words."""
    fault: bool = True
    """Whether the set is not the one that it should be because of this; else it is a note."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _bounded(self.message))
        object.__setattr__(self, "examples", tuple(map(_bounded, self.examples)))

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return (
            f"{self.message} ({', '.join(self.examples)}{more})" if self.examples else self.message
        )


def finding(kind: str, names: Iterable[str], message: str, *, fault: bool = True) -> list[Finding]:
    """One finding about ``names``, none if there are none.

    In ``message``, the first ``{n}`` becomes their number, and of the first ``{one|many}`` only the
    form that agrees with it is left.
    """
    names = sorted(names)
    if not names:
        return []
    text = in_number(len(names), message)
    return [Finding(kind, len(names), tuple(names[:EXAMPLES]), text, fault)]


def _bounded(text: str) -> str:
    text = encodable(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def encodable(name: str) -> str:
    """A file name that can be encoded as UTF-8: its bytes that are not UTF-8 as ``%E9``.

    Python has each such byte as half of a surrogate pair. Any other half is written as ``%UD800``.
    """
    if name.isascii():
        return name
    return "".join(_without_surrogate(character) for character in name)


def _without_surrogate(character: str) -> str:
    code = ord(character)
    if not 0xD800 <= code <= 0xDFFF:
        return character
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"%U{code:04X}"


@dataclass(frozen=True)
class DataSummary:
    """A data set as a validation used it, without the folder that it was in.

    ``used`` images of ``total`` took part; ``unreadable`` has the reason by name of those that were
    counted as wrong. The other fields are those of ``inspect.DataReport``. Old records have no
    ``other_set``.
    """

    layout: str
    images: int
    classes: int
    verdict: str
    fingerprint: str
    whole: bool
    decoded: bool
    problems: tuple[Finding, ...]
    used: int
    total: int
    unreadable: Mapping[str, str]
    other_set: str | None = None


@dataclass(frozen=True)
class CacheUse:
    """How images used the cache of decoded ones: how many crops were read from it.

    ``damaged`` were there, but could not be used, and were decoded again. ``failure`` is why crops
    could not be stored any more.
    """

    read: int = 0
    damaged: int = 0
    failure: str = ""

    def __add__(self, other: "CacheUse") -> "CacheUse":
        return CacheUse(
            self.read + other.read, self.damaged + other.damaged, self.failure or other.failure
        )


NO_USE = CacheUse()
"""Of images that were decoded without a cache."""


@dataclass(frozen=True)
class PixelDifference:
    """How the pixels of one kind of image differ: how many of ``values``, and the most by which."""

    values: int
    different: int
    largest: int


@dataclass(frozen=True)
class DecoderReport:
    """Whether the decoder gives the expected pixels: of how many kinds of image, and which differ.

    ``libraries`` are the versions of what decodes and resizes.
    """

    ok: bool
    summary: str
    kinds: int
    differences: Mapping[str, PixelDifference]
    libraries: Mapping[str, str]
