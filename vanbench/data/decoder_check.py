"""Whether this machine's decoder and resizer give the pixels that they should.

``pixels/`` has one small image of each kind that ImageNet has, and the pixels that each must give;
``draw.py`` there drew them. The steps are those of every protocol, at a quarter of the size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from vanbench.data.decode import decode
from vanbench.data.preprocess import to_pixels
from vanbench.zoo.reader import Protocol

PIXELS = Path(str(files("vanbench"))) / "data" / "pixels"
PROTOCOL = Protocol(resize_short_edge=62, center_crop=56)


@dataclass(frozen=True)
class Difference:
    """How the pixels of one kind of image differ: how many of ``values``, and the most by which."""

    kind: str
    values: int
    different: int
    largest: int


@dataclass(frozen=True)
class SelfCheck:
    """The outcome for every kind of image, and the libraries that gave it."""

    differences: tuple[Difference, ...]
    libraries: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every pixel is as expected."""
        return not any(difference.different for difference in self.differences)

    def describe(self) -> str:
        """One line for people."""
        versions = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        if self.ok:
            kinds = len(self.differences)
            return (
                f"the decoder gives the expected pixels for all {kinds} kinds of image ({versions})"
            )
        wrong = "; ".join(
            f"{d.kind}: {d.different:,} of {d.values:,} values differ, by up to {d.largest}"
            for d in self.differences
            if d.different
        )
        return f"the decoder differs from the expected pixels: {wrong} ({versions})"

    def as_dict(self) -> dict:
        """The form for the record: the kinds that differ, by name."""
        return {
            "ok": self.ok,
            "summary": self.describe(),
            "kinds": len(self.differences),
            "differences": {
                d.kind: {"values": d.values, "different": d.different, "largest": d.largest}
                for d in self.differences
                if d.different
            },
            "libraries": self.libraries,
        }


def check_decoder(
    pixels_of: Callable[[Image.Image, Protocol], Tensor] = to_pixels,
) -> SelfCheck:
    """Decode and preprocess the shipped images, and compare every value with the expected one.

    ``pixels_of`` is what turns a decoded image into uint8 (3, H, W) by a protocol.
    """
    kinds = sorted(path.stem for path in PIXELS.glob("*.JPEG"))
    assert kinds, f"no images in {PIXELS}"
    return SelfCheck(tuple(_compare(kind, pixels_of) for kind in kinds), libraries())


def libraries() -> dict[str, str]:
    """The versions of what decodes and resizes."""
    return {
        "Pillow": Image.__version__,
        "libjpeg-turbo": str(features.version("libjpeg_turbo") or "not used"),
    }


def _compare(kind: str, pixels_of: Callable[[Image.Image, Protocol], Tensor]) -> Difference:
    found = pixels_of(decode((PIXELS / f"{kind}.JPEG").read_bytes()), PROTOCOL)
    png = decode((PIXELS / f"{kind}.png").read_bytes())
    expected = torch.from_numpy(np.array(png)).permute(2, 0, 1)  # (3, H, W)
    distance = (found.to(torch.int16) - expected.to(torch.int16)).abs()
    return Difference(kind, distance.numel(), int((distance > 0).sum()), int(distance.max()))
