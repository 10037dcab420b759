"""Validation sets in which a model has given Top-1 and Top-5 counts, and zoos that claim them.

How a model ranks the classes is computed here, with Pillow, numpy and the reference model in
float64, not with the code under test. Each picture is then put into a class that makes it right,
right among five, or wrong.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from vanbench.checkpoints.key_names import OPENMMLAB, Format, from_native
from vanbench.flops import count_from_shapes
from vanbench.model.build import architecture_of
from vanbench.model.van import VAN

CROP, SHORT = 32, 36


def picture(seed: int) -> bytes:
    """A JPEG of a pattern, of varying shape, sometimes grey, sometimes rotated by EXIF."""
    rng = np.random.default_rng(seed)
    width, height = (int(v) for v in rng.integers(30, 60, 2))
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * rng.uniform(0.05, 0.6) + y * rng.uniform(0.05, 0.6)) for _ in range(3)]
    image = Image.fromarray(((np.stack(waves, -1) + 1) * 127.5).astype(np.uint8))
    if seed % 5 == 0:
        image = image.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6 if seed % 3 == 0 else 1  # orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def pixels(encoded: bytes) -> np.ndarray:
    """The steps of the protocol: EXIF, RGB, short edge 36 bicubic, centre crop 32, to [−1, 1]."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))).convert("RGB")
    scale = SHORT / min(image.size)
    size = tuple(
        SHORT if side == min(image.size) else int(side * scale + 1e-9) for side in image.size
    )
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - CROP) / 2) for side in image.size)
    crop = image.crop((left, top, left + CROP, top + CROP))
    return (np.asarray(crop, dtype=np.float64) - 127.5) / 127.5


def ranking(model: VAN, encoded: bytes) -> list[int]:
    """The classes, best first."""
    x = torch.from_numpy(pixels(encoded).transpose(2, 0, 1))[None]
    return model.double()(x)[0].argsort(descending=True).tolist()


def arrange(
    root: Path, model: VAN, classes: list[str], right: int, among5: int, wrong: int
) -> Path:
    """Class folders under ``root`` in which ``model`` has exactly these counts."""
    for seed in range(right + among5 + wrong):
        encoded = picture(seed)
        ranked = ranking(model, encoded)
        place = 0 if seed < right else 1 + seed % 4 if seed < right + among5 else 5 + seed % 5
        folder = root / classes[ranked[place]]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"picture_{seed:04d}.jpg").write_bytes(encoded)
    model.float()
    return root


def checkpoint(
    model: VAN, fmt: Format = OPENMMLAB, *, legacy: bool = True, nest: bool = False
) -> bytes:
    """The model as a file of that naming and serialisation."""
    state = from_native(model.state_dict(), fmt)
    content = {"meta": {"epoch": 300}, "state_dict": state} if nest else state
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def published_name(content: bytes, stem: str = "van-test") -> str:
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.pth"


@dataclass
class Claim:
    """A table of a zoo; figures as printed. Without a ``url`` it is a claim without a file."""

    name: str
    url: str | None
    model: VAN
    top1: str
    top5: str
    params_m: str | None = None

    def toml(self) -> str:
        a = architecture_of(self.model)
        params, flops = count_from_shapes(a, CROP)
        return f"""
[models."{self.name}"]
architecture = {{ embed_dims = {list(a.embed_dims)}, depths = {list(a.depths)}, mlp_ratios = {list(a.mlp_ratios)} }}
{f'url = "{self.url}"' if self.url else ""}
reported = {{ params_m = "{self.params_m or f"{params / 1e6:.4f}"}", flops_g = "{flops / 1e9:.5f}", top1 = "{self.top1}", top5 = "{self.top5}" }}
"""


def write_zoo(
    path: Path, classes: list[str] | str, *claims: Claim, images: int | None = None
) -> Path:
    """A zoo file with these claims and the protocol of ``pixels``.

    ``classes`` are the class ids or ``imagenet-1k``; ``images`` is over how many the claims are.
    """
    width = 1000 if classes == "imagenet-1k" else len(classes)
    head = f"""
schema = 1
name = "test"
title = "Test"
source = "https://example.org"
{f"images = {images}" if images else ""}
counting = {{ convention = "openmmlab", resolution = {CROP}, num_classes = {width} }}
[protocol]
resize_short_edge = {SHORT}
center_crop = {CROP}
classes = {classes!r}
"""
    path.write_text(head + "".join(claim.toml() for claim in claims))
    return path
