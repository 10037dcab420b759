"""The numbers that make a VAN variant, without torch.

Source: OpenMMLab's code. B0 to B3 are ``tiny`` to ``large`` in models/backbones/van.py of
mmpretrain; B4 to B6 are in the configurations of mmsegmentation's projects/van. The parameters and
FLOPs of these agree with OpenMMLab's published table, except for B6: the table has 283.9 M
parameters, which is what a third stage of 480 channels gives. The code has 384 channels, which give
199.8 M; the paper (doi 10.1007/s41095-023-0364-2) has 200 M. No published file was opened for this.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import TypedDict

from vanbench.errors import UnknownModelError
from vanbench.outside.safe_text import shorten


class ArchitectureDict(TypedDict):
    """The numbers that make a VAN variant, as JSON has them."""

    arch: str
    """The published name of these widths and depths, or ``custom``."""
    embed_dims: list[int]
    """Channels of each of the four stages."""
    depths: list[int]
    """Blocks of each of the four stages."""
    mlp_ratios: list[int]
    """How many times wider the hidden layer of the MLP is, for each of the four stages."""
    num_classes: int
    """Outputs of the classification head; 0 for a network without a head."""


@dataclass(frozen=True)
class Architecture:
    """One variant: four stages' widths, block counts and MLP expansion, and the head's width.

    ``num_classes`` 0 means a network without a classification head.
    """

    embed_dims: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[int, ...] = (8, 8, 4, 4)
    num_classes: int = 1000

    @property
    def name(self) -> str:
        """The published name of these widths and depths, or ``custom``."""
        body = (self.embed_dims, self.depths, self.mlp_ratios)
        for name, known in ARCHITECTURES.items():
            if (known.embed_dims, known.depths, known.mlp_ratios) == body:
                return name
        return "custom"

    def as_dict(self) -> ArchitectureDict:
        """The JSON object of this architecture."""
        return {
            "arch": self.name,
            "embed_dims": list(self.embed_dims),
            "depths": list(self.depths),
            "mlp_ratios": list(self.mlp_ratios),
            "num_classes": self.num_classes,
        }

    @classmethod
    def from_dict(cls, document: Any) -> "Architecture":
        """The inverse of ``as_dict``, which also takes an Architecture; ValueError for others."""
        if isinstance(document, Architecture):
            return document
        names = ("embed_dims", "depths", "mlp_ratios", "num_classes")
        if not isinstance(document, dict) or {"arch", *names} != document.keys():
            raise ValueError(f"expected an object of arch, {', '.join(names)}")
        *lists, num_classes = (document[name] for name in names)
        if not all(isinstance(numbers, list | tuple) and len(numbers) == 4 for numbers in lists):
            raise ValueError(f"expected a list of four numbers for each of {', '.join(names[:3])}")
        numbers = [*(n for numbers in lists for n in numbers), num_classes]
        if not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("expected whole numbers")
        embed_dims, depths, mlp_ratios = map(tuple, lists)
        found = cls(embed_dims, depths, mlp_ratios, num_classes)
        if document["arch"] not in (found.name, "custom"):
            raise ValueError(f"expected arch {found.name!r}, found {document['arch']!r}")
        return found

    def same_body(self, other: object) -> bool:
        """Whether both are the same network up to the classification head."""
        if not isinstance(other, Architecture):
            return False
        mine = (self.embed_dims, self.depths, self.mlp_ratios)
        return mine == (other.embed_dims, other.depths, other.mlp_ratios)


ARCHITECTURES = {
    "van_b0": Architecture((32, 64, 160, 256), (3, 3, 5, 2)),
    "van_b1": Architecture((64, 128, 320, 512), (2, 2, 4, 2)),
    "van_b2": Architecture((64, 128, 320, 512), (3, 3, 12, 3)),
    "van_b3": Architecture((64, 128, 320, 512), (3, 5, 27, 3)),
    "van_b4": Architecture((64, 128, 320, 512), (3, 6, 40, 3)),
    "van_b5": Architecture((96, 192, 480, 768), (3, 3, 24, 3)),
    "van_b6": Architecture((96, 192, 384, 768), (6, 6, 90, 6)),
}

ALIASES = {"van_tiny": "van_b0", "van_small": "van_b1", "van_base": "van_b2", "van_large": "van_b3"}
"""The names that the published architectures had before."""


def find_architecture(name: str) -> Architecture:
    """The published architecture of a name, old or new; case and ``-``/``_`` do not matter.

    >>> find_architecture("VAN-Tiny").name
    'van_b0'
    """
    key = name.lower().replace("-", "_")
    known = ARCHITECTURES.get(ALIASES.get(key, key))
    if known is not None:
        return known
    near = difflib.get_close_matches(key[:100], [*ARCHITECTURES, *ALIASES], n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UnknownModelError(
        f"expected a published architecture, found {shorten(name)}",
        remedy=f"{hint}The published ones are {', '.join(ARCHITECTURES)}.",
    )


def described_architecture(numbers: Mapping[str, Any]) -> Architecture:
    """The architecture that a zoo file's table, or a program's mapping, describes.

    ``embed_dims`` and ``depths`` have four whole numbers each; so have ``mlp_ratios``, which may be
    absent, as may ``num_classes``. ValueError says which key is not as it should be.

    >>> described_architecture({"embed_dims": [32, 64, 160, 256], "depths": [3, 3, 5, 2]}).name
    'van_b0'
    """
    keys = ("embed_dims", "depths", "mlp_ratios", "num_classes")
    for key in numbers:
        if key not in keys:
            raise ValueError(f"unknown key {shorten(key)}; the keys are {', '.join(keys)}")
    found: dict[str, Any] = {}
    for key in keys[:3]:
        if key in numbers:
            found[key] = _four_numbers(key, numbers[key])
        elif key != "mlp_ratios":
            raise ValueError(f"missing key {key}: expected four whole numbers, one for each stage")
    if "num_classes" in numbers:
        found["num_classes"] = _whole_number("num_classes", numbers["num_classes"], least=0)
    return Architecture(**found)


def _four_numbers(key: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ValueError(f"{key}: expected four whole numbers, found {shorten(value)}")
    return tuple(_whole_number(key, number, least=1) for number in value)


def _whole_number(key: str, value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{key}: expected whole numbers from {least}, found {shorten(value)}")
    return value
