"""What a zoo says: entries with their published figures, as frozen dataclasses."""

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path

from vanbench.errors import UnknownModelError
from vanbench.model.architecture import Architecture
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.reported import Reported


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
    """How the source counted: FLOP convention, input side in pixels, width of the head."""

    convention: str = "openmmlab"
    resolution: int = 224
    num_classes: int = 1000


@dataclass(frozen=True)
class Claims:
    """The published figures of one model: parameters in M, FLOPs in G, accuracies in percent."""

    params_m: Reported | None = None
    flops_g: Reported | None = None
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

    ``layer_norm_eps`` None means the one of the code that uses the file's key naming; ``images``
    is over how many images the accuracies are claimed, None if the source does not say.
    """

    name: str
    architecture: Architecture
    urls: tuple[str, ...]
    claims: Claims
    layer_norm_eps: float | None
    counting: Counting
    protocol: EvaluationProtocol
    source: str
    sha256: str | None = None
    erratum: Erratum | None = None
    images: int | None = None

    @property
    def arch(self) -> str:
        """The part of the name before the tag."""
        return self.name.split(".")[0]

    @property
    def filename(self) -> str:
        """The file's published name, which is also its name in the cache."""
        return self.urls[0].split("?")[0].rsplit("/", 1)[-1]

    @property
    def published_hash(self) -> str | None:
        """The published SHA-256 or its first digits; by convention the file's name ends in them."""
        return self.sha256 or hash_in_name(self.filename)


@dataclass(frozen=True)
class Zoo:
    """A table of checkpoints; ``data`` is a validation set shipped beside it, if any."""

    name: str
    title: str
    source: str
    path: Path
    entries: tuple[Entry, ...]
    data: Path | None = field(default=None)

    def find(self, query: str) -> Entry:
        """The entry of that name, or the first of that architecture; else UnknownModelError."""
        wanted = normal_name(query)
        for entry in self.entries:
            if wanted in (normal_name(entry.name), normal_name(entry.arch)):
                return entry
        known = {normal_name(e.arch): e.arch for e in self.entries}
        known |= {normal_name(e.name): e.name for e in self.entries}
        near = [known[n] for n in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)]
        listed = ", ".join(entry.name for entry in self.entries)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {listed}."
        raise UnknownModelError(f"No model {query!r} in the zoo {self.name!r}. {hint}")


def hash_in_name(filename: str) -> str | None:
    """The digits of its own SHA-256 that a published file's name ends in, if it does.

    >>> hash_in_name("van-tiny_8xb128_in1k_20220501-385941af.pth")
    '385941af'
    """
    suffix = re.search(r"-([0-9a-f]{8,64})\.\w+$", filename)
    return suffix[1] if suffix else None


def normal_name(name: str) -> str:
    """The form in which names are compared: case and ``-``/``_`` do not matter.

    >>> normal_name("VAN-B6")
    'van_b6'
    """
    return name.lower().replace("-", "_")


def _plain(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else str(tuple(values))
