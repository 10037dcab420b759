"""From an encoded image to the network's input, exactly as a protocol says.

The steps are Pillow's. torchvision's functions give the same pixels, which the tests check, but
importing torchvision takes more than a second.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor

from vanbench.data.decode import MOST_BYTES, MOST_PIXELS, decode
from vanbench.errors import DataError, located
from vanbench.outside.files import read_bytes
from vanbench.zoo.entries import EvaluationProtocol

PixelsOf = Callable[[Image.Image, EvaluationProtocol], Tensor]  # to_pixels, or a replacement

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_pixels(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The uint8 RGB crop (3, center_crop, center_crop) that the network sees.

    The long edge is truncated to an integer in proportion and the crop's offsets are rounded half
    to even, as torchvision and OpenMMLab do. Pillow's filters are antialiased. DataError if the
    image is so long that it would be too large when it is resized.
    """
    if protocol.exif_orientation:
        image = _oriented(image)
    image = image.convert("RGB")
    width, height = resized(image.size, protocol)
    image = image.resize((width, height), Image.Resampling[protocol.interpolation.upper()])
    crop = protocol.center_crop
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    pixels = np.array(image.crop((left, top, left + crop, top + crop)))  # (H, W, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def resized(size: tuple[int, int], protocol: EvaluationProtocol) -> tuple[int, int]:
    """The size to which an image of this size is resized; DataError above MOST_PIXELS."""
    short, edge = min(size), protocol.resize_short_edge
    width, height = (edge if side == short else edge * side // short for side in size)
    if width * height > MOST_PIXELS:
        raise DataError(
            f"not a usable image: resizing its short edge to {edge:,} makes "
            f"{width:,}×{height:,} of {size[0]:,}×{size[1]:,}, and at most {MOST_PIXELS:,} pixels "
            "are allowed"
        )
    return width, height


def _oriented(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says; as stored where EXIF is damaged, as OpenCV does."""
    try:
        method = _TRANSPOSE.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # which ones are raised depends on the damage
        return image
    return image if method is None else image.transpose(method)


def normalize(pixels: Tensor, protocol: EvaluationProtocol) -> Tensor:
    """float32 ``(pixels − mean) / std`` per channel of uint8 (…, 3, H, W), on the same device."""
    mean, std = (_per_channel(values, pixels.device) for values in (protocol.mean, protocol.std))
    return pixels.float().sub_(mean).div_(std)  # in place: a batch is tens of megabytes


def _per_channel(values: Sequence[float], device: torch.device) -> Tensor:
    """float32 (3, 1, 1), filled on the device: a copy from the host would wait for a GPU."""
    filled = [torch.full((1, 1), v, dtype=torch.float32, device=device) for v in values]
    return torch.stack(filled)


def preprocess(
    image: Image.Image | str | PathLike[str] | bytes, protocol: EvaluationProtocol | None = None
) -> Tensor:
    """The network's input for one image, exactly as the evaluation protocol says.

    Args:
        image: A Pillow image, the path of an image file, or the encoded bytes of one (JPEG, PNG,
            WebP, BMP, GIF or TIFF).
        protocol: How the image is resized, cropped and normalised. The default is that of
            OpenMMLab's VAN configurations: EXIF orientation, short edge to 248 pixels (bicubic),
            centre crop of 224, ``(RGB − 127.5) / 127.5``.

    Returns:
        A float32 tensor (3, crop, crop) on the CPU: (3, 224, 224) by default. ``tensor[None]`` is a
        batch of one image.

    Raises:
        DataError: The file cannot be read, is no complete image, or would be too large; the error
            names the path.
        TypeError: The argument is none of these, such as an array.

    >>> vanbench.preprocess(Image.new("RGB", (640, 480))).shape
    torch.Size([3, 224, 224])
    """
    protocol = protocol or EvaluationProtocol()
    if isinstance(image, str | PathLike):
        path = Path(image)
        with located(path):
            encoded = read_bytes(path, most=MOST_BYTES, error=DataError)
            return normalize(to_pixels(decode(encoded), protocol), protocol)
    if isinstance(image, bytes):
        image = decode(image)
    if not isinstance(image, Image.Image):
        raise TypeError(
            "expected a Pillow image, a path or the bytes of an image file, found "
            f"{type(image).__name__}; PIL.Image.fromarray makes an image of an array"
        )
    return normalize(to_pixels(image, protocol), protocol)
