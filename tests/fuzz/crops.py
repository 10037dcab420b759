"""Files of decoded images (``--cache-images``)."""

from pathlib import Path
from typing import Any

import torch

from tests.fuzz.kind import Kind
from vanbench.data.decoder_check import check_decoder
from vanbench.data.pixel_cache import PixelCache, open_pixel_cache
from vanbench.evaluation.plan import ignore_message
from vanbench.zoo.entries import EvaluationProtocol

IMAGES = [f"{number:064x}" for number in range(1, 31)]
PROTOCOL = EvaluationProtocol(resize_short_edge=9, center_crop=8)


def _open(folder: Path) -> PixelCache:
    return open_pixel_cache(folder, IMAGES, PROTOCOL, check_decoder(), ignore_message)


def _make(folder: Path) -> list[Path]:
    """A file of crops that differ in each value."""
    cache = _open(folder)
    for number, sha256 in enumerate(IMAGES):
        values = torch.arange(8 * 8 * 3).mul(7).add(number).remainder(256)
        cache.write(sha256, values.to(torch.uint8).reshape(8, 8, 3).permute(2, 0, 1))
    cache.close()
    return list(folder.glob("*/*.crops"))


def _read(folder: Path, path: Path) -> Any:
    cache = _open(folder)
    found = {sha256: cache.read(sha256) for sha256 in IMAGES}
    cache.close()
    return {s: bytes(p.reshape(-1).tolist()) for s, p in found.items() if p is not None}


def _wrong(original: Any, found: Any) -> str:
    """An image has its crop, or none."""
    others = [sha256 for sha256, crop in found.items() if crop != original[sha256]]
    return f"other crops of {len(others)} images" if others else ""


KINDS = {"crops": Kind(_make, _read, wrong=_wrong)}
