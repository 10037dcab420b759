"""Make the images of the decoder's self-check, and the pixels that they must give.

    python tools/draw_decoder_check.py

writes into ``vanbench/data/pixels`` an encoded image of each kind and, as PNG, the expected uint8
pixels after ``decoder_check.PROTOCOL``. The expected pixels are computed here with Pillow, in the
versions that ``made_with.json`` names.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageOps, features

PIXELS = Path(__file__).parents[1] / "vanbench" / "data" / "pixels"
WIDTH, HEIGHT = 94, 75
SHORT_EDGE, CROP = 62, 56
ORIENTATION = 0x0112  # the EXIF tag


def drawing() -> Image.Image:
    """Waves in three colours with hard edges and some noise, so that every frequency occurs."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = np.stack([np.sin(x * x / 700), np.sin(y * y / 500 + 1), np.sin((x + y) / 5)], axis=-1)
    pixels = (waves + 1) * 110
    pixels[20:40, 30:60] = (255, 0, 0)
    pixels[45:60, 10:40] = (0, 40, 255)
    pixels += np.random.default_rng(2012).normal(0, 8, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded() -> dict[str, bytes]:
    """The drawing in each kind of file that people's data sets have."""
    image = drawing()
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return {
        "jpeg-444": save(image, "JPEG", subsampling=0),
        "jpeg-420": save(image, "JPEG", subsampling=2),
        "jpeg-progressive": save(image, "JPEG", subsampling=2, progressive=True),
        "jpeg-grey": save(image.convert("L"), "JPEG"),
        "jpeg-cmyk": save(image.convert("CMYK"), "JPEG"),
        "jpeg-exif-rotated": save(image, "JPEG", subsampling=2, exif=exif),
        "png-content": save(image, "PNG"),
    }


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The encoded file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 75} if kind == "JPEG" else {}), **options)
    return buffer.getvalue()


def expected(content: bytes) -> Image.Image:
    """The pixels that the protocol gives, computed with Pillow."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    width, height = image.size
    short = min(width, height)
    size = (int(SHORT_EDGE * width / short), int(SHORT_EDGE * height / short))
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - CROP) / 2) for side in size)
    return image.crop((left, top, left + CROP, top + CROP))


def main() -> None:
    """Write all files."""
    for name, content in encoded().items():
        (PIXELS / f"{name}.JPEG").write_bytes(content)
        expected(content).save(PIXELS / f"{name}.png", optimize=True)
    versions = {"pillow": PIL.__version__, "libjpeg_turbo": features.version("libjpeg_turbo")}
    (PIXELS / "made_with.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
