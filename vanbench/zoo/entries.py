"""What a zoo says: entries with their published figures, as frozen dataclasses."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vanbench.errors import UnknownModelError
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import AnyArchitecture
from vanbench.outside.safe_text import shorten
from vanbench.zoo.addresses import public_url
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.reported import Reported
from vanbench.zoo.search import (
    arch_of,
    is_pattern,
    listed,
    matching,
    name_matches,
    nearest,
    suggestion,
)


@dataclass(frozen=True)
class EvaluationProtocol:
    """How an image becomes the network's input; the defaults are those of OpenMMLab's VAN.

    Lengths in pixels; ``mean`` and ``std`` on the 0–255 scale, in RGB order. ``classes`` names
    the label space: ``imagenet-1k``, or the class ids themselves in label order.
    """

    exif_orientation: bool = True
    resize_short_edge: int = 248
    interpolation: str = "bicubic"
    center_crop: int = 224
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)
    classes: str | tuple[str, ...] = "imagenet-1k"

    @property
    def class_ids(self) -> tuple[str, ...]:
        """The id of each class, in label order."""
        if isinstance(self.classes, tuple):
            return self.classes
        return imagenet_1k()

    def describe(self) -> str:
        """One line for people."""
        exif = "EXIF orientation, " if self.exif_orientation else ""
        return (
            f"{exif}short edge to {self.resize_short_edge} ({self.interpolation}, antialiased), "
            f"centre crop {self.center_crop}, "
            f"(RGB − {_plain(self.mean)}) / {_plain(self.std)}"
        )


@dataclass(frozen=True)
class Counting:
    """How the source counted: FLOP convention, input side in pixels, width of the head.

    ``convention`` is one of ``conventions.COUNTERS``, ``params`` of ``PARAM_CONVENTIONS``.
    """

    convention: str = "openmmlab"
    resolution: int = 224
    num_classes: int = 1000
    params: str = "parameters"


@dataclass(frozen=True)
class Claims:
    """The published figures of one model: parameters in M, FLOPs in G, accuracies in percent.

    ``top1`` and ``top5`` are over the images of the data set that the model is for. ``other_sets``
    has those over other test sets, by key (``zoo.other_sets``).
    """

    params_m: Reported | None = None
    flops_g: Reported | None = None
    top1: Reported | None = None
    top5: Reported | None = None
    other_sets: Mapping[str, "AccuracyClaims"] = field(default_factory=dict)


@dataclass(frozen=True)
class AccuracyClaims:
    """The published accuracies over one test set, in percent."""

    top1: Reported | None = None
    top5: Reported | None = None


@dataclass(frozen=True)
class Erratum:
    """A published figure known to be wrong: the right one, why, and what the wrong one fits."""

    corrected: Claims
    reason: str
    reported_architecture: Architecture | None = None


@dataclass(frozen=True)
class Entry:
    """One published checkpoint and what is claimed for it.

    ``urls`` are absolute, ``address`` is the first one as the zoo file has it. Both are empty for a
    claim without a file; then ``no_file`` says why there is none, in a clause.
    ``layer_norm_eps`` None means the one of the code that uses the file's key naming; ``images``
    is over how many images the accuracies are claimed, None if the zoo does not say. ``aliases``
    are other names of the model, which are accepted where its name is.
    ``pretrain``, ``config`` and ``note`` are what the source says of the training, of the
    configuration file and of the checkpoint, None where it says nothing.
    ``weights_of`` is the model, ZOO/ARCH.TAG, whose weights these are said to be, None if they are
    weights of their own. ``shares_filename``: another entry of the zoo has another file of the
    same name.
    """

    name: str
    architecture: AnyArchitecture
    urls: tuple[str, ...]
    address: str
    claims: Claims
    layer_norm_eps: float | None
    counting: Counting
    protocol: EvaluationProtocol
    source: str
    sha256: str | None = None
    erratum: Erratum | None = None
    images: int | None = None
    pretrain: str | None = None
    config: str | None = None
    note: str | None = None
    aliases: tuple[str, ...] = ()
    shares_filename: bool = False
    no_file: str | None = None
    weights_of: str | None = None

    @property
    def arch(self) -> str:
        """The part of the name before the tag."""
        return arch_of(self.name)

    @property
    def claimed_images(self) -> int | None:
        """Over how many images the accuracies are claimed; None if that is not known.

        With the classes of ImageNet-1k it is the whole validation set, unless the zoo says
        otherwise.
        """
        if self.images is None and self.protocol.class_ids == imagenet_1k():
            return VALIDATION_IMAGES
        return self.images

    @property
    def filename(self) -> str:
        """The file's published name: the last part of its URL; empty if there is no file."""
        return filename_of(self.urls[0]) if self.urls else ""

    @property
    def public_url(self) -> str:
        """The first URL as it may be recorded: no user info, no query, no folder of a machine."""
        local = self.address.startswith(("/", "\\", "~", "file://")) or self.address[1:2] == ":"
        return unquote(self.filename) if local else public_url(self.address)

    @property
    def published_hash(self) -> str | None:
        """The published SHA-256 or its first digits; by convention the file's name ends in them."""
        return self.sha256 or hash_in_name(self.filename)


@dataclass(frozen=True)
class Zoo:
    """A table of checkpoints; ``data`` is a validation set shipped beside it, if any.

    ``citation`` is the BibTeX entry that the source asks to cite, None if there is none. ``parts``
    are the zoos of which this one is made; the names of its models begin with theirs.
    """

    name: str
    title: str
    source: str
    path: Path
    entries: tuple[Entry, ...]
    data: Path | None = None
    citation: str | None = None
    parts: tuple["Zoo", ...] = ()

    def find(self, query: str) -> Entry:
        """The entry that a name means (see ``search.matching``); else UnknownModelError."""
        first, *others = self.matching(query)
        if others:
            names = listed([entry.name for entry in (first, *others)])
            raise UnknownModelError(
                f"expected the name of one model, found {shorten(query)}",
                remedy=f"It matches {names}. Give one of these.",
            )
        return first

    def matching(self, query: str) -> tuple[Entry, ...]:
        """The entry that a name means, or all that a pattern matches; else UnknownModelError."""
        found = self._named(query)
        if found:
            return found
        near = () if is_pattern(query) else nearest(self.entries, query)
        known = f"It has {listed([entry.name for entry in self.entries])}."
        raise UnknownModelError(
            f"no model {shorten(query)} in the zoo {self.name!r}",
            remedy=f"Did you mean {suggestion(near)}?" if near else known,
        )

    def _named(self, query: str) -> tuple[Entry, ...]:
        """What a name means: in a zoo that is made of others, in each of them.

        There, ``van_b0`` is the first model of that architecture in each zoo, ``authors/van_b0``
        that of one zoo, ``openmmlab*/*`` all models of the zoos that the pattern matches.
        """
        if not self.parts:
            return matching(self.entries, query)
        where, slash, name = query.rpartition("/")
        zoos = [z for z in self.parts if not slash or name_matches(z.name, where)]
        return tuple(in_zoo(z.name, entry) for z in zoos for entry in matching(z.entries, name))


def in_zoo(zoo: str, entry: Entry) -> Entry:
    """The entry as a zoo that is made of others has it."""
    return replace(entry, name=f"{zoo}/{entry.name}")


def filename_of(url: str) -> str:
    """The last part of a URL's path, empty if the path ends in a slash.

    >>> filename_of("https://host/weights.pth?download=true")
    'weights.pth'
    """
    return urlsplit(url).path.rpartition("/")[2]


def hash_in_name(filename: str) -> str | None:
    """The digits of its own SHA-256 that a published file's name ends in, if it does.

    Digits that are a date, or a date and a time, are not a hash.

    >>> hash_in_name("van-tiny_8xb128_in1k_20220501-385941af.pth")
    '385941af'
    >>> hash_in_name("my_van-20240101.pth")
    """
    match = re.search(r"-([0-9a-f]{8,64})(?:\.pth)?\.\w+$", filename)
    return match[1] if match and not _is_date(match[1]) else None


def _is_date(digits: str) -> bool:
    """Whether hex digits are YYYYMMDD, YYYYMMDDhhmm or YYYYMMDDhhmmss of 1990 to 2099."""
    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form and digits.isdecimal():
        with suppress(ValueError):
            return 1990 <= datetime.strptime(digits, form).year < 2100
    return False


def _plain(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else str(tuple(values))
