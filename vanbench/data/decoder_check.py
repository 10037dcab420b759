"""Whether this machine's decoder and resizer give the pixels that they should.

``pixels/`` has a small image of each kind that people's data sets have, and the pixels that it must
give; ``tools/draw_decoder_check.py`` made both. The steps are those of every protocol, at a quarter
of the size.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, features
from torch import Tensor

from vanbench.data.decode import decode
from vanbench.data.preprocess import to_pixels
from vanbench.data.summary import DecoderReport, PixelDifference
from vanbench.zoo.entries import EvaluationProtocol

PIXELS = Path(str(files("vanbench"))) / "data" / "pixels"
PROTOCOL = EvaluationProtocol(resize_short_edge=62, center_crop=56)


def check_decoder(
    pixels_of: Callable[[Image.Image, EvaluationProtocol], Tensor] = to_pixels,
) -> DecoderReport:
    """Decode and preprocess the shipped images, and compare every value with the expected one.

    ``pixels_of`` is what turns a decoded image into uint8 (3, H, W) by a protocol.
    """
    kinds = sorted(path.stem for path in PIXELS.glob("*.JPEG"))
    assert kinds, f"no images in {PIXELS}"
    found = {kind: _compare(kind, pixels_of) for kind in kinds}
    different = {kind: d for kind, d in found.items() if d.different}
    versions = libraries()
    return DecoderReport(
        ok=not different,
        summary=_describe(len(kinds), different, versions),
        kinds=len(kinds),
        differences=different,
        libraries=versions,
    )


def _describe(
    kinds: int, different: Mapping[str, PixelDifference], versions: Mapping[str, str]
) -> str:
    """One line for people."""
    made_by = ", ".join(f"{name} {version}" for name, version in versions.items())
    if not different:
        return f"the decoder gives the expected pixels for all {kinds} kinds of image ({made_by})"
    wrong = "; ".join(
        f"{kind}: {d.different:,} of {d.values:,} values differ, by up to {d.largest}"
        for kind, d in different.items()
    )
    return f"the decoder differs from the expected pixels: {wrong} ({made_by})"


def libraries() -> dict[str, str]:
    """The versions of what decodes and resizes."""
    return {
        "Pillow": PIL.__version__,
        "libjpeg-turbo": str(features.version("libjpeg_turbo") or "not used"),
    }


def _compare(
    kind: str, pixels_of: Callable[[Image.Image, EvaluationProtocol], Tensor]
) -> PixelDifference:
    found = pixels_of(decode((PIXELS / f"{kind}.JPEG").read_bytes()), PROTOCOL)
    png = decode((PIXELS / f"{kind}.png").read_bytes())
    expected = torch.from_numpy(np.array(png)).permute(2, 0, 1)  # (3, H, W)
    distance = (found.to(torch.int16) - expected.to(torch.int16)).abs()
    return PixelDifference(distance.numel(), int((distance > 0).sum()), int(distance.max()))
