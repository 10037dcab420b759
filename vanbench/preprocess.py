"""From an encoded image to the network's input, exactly as a protocol says."""

import io
import struct

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from vanbench.errors import DataError
from vanbench.zoo import Protocol

# What Pillow raises, by format and by kind of damage, for bytes that are no sound image.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def decode(encoded: bytes) -> Image.Image:
    """The decoded image, as stored; DataError if the bytes are not a whole image."""
    try:
        image = Image.open(io.BytesIO(encoded))
        image.load()
    except UNREADABLE as error:
        raise DataError(f"not a readable image: {error}") from error
    return image


def to_pixels(image: Image.Image, protocol: Protocol) -> Tensor:
    """The uint8 RGB crop (3, center_crop, center_crop) that the network sees.

    The long edge is truncated to an integer in proportion and the crop's offsets are rounded half
    to even, as torchvision and OpenMMLab do. On Pillow images torchvision resizes with Pillow's
    own antialiased filter.
    """
    if protocol.exif_orientation:
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    interpolation = InterpolationMode(protocol.interpolation)
    image = F.resize(image, protocol.resize_short_edge, interpolation)
    return F.pil_to_tensor(F.center_crop(image, protocol.center_crop))


def normalize(pixels: Tensor, protocol: Protocol) -> Tensor:
    """float32 ``(pixels − mean) / std`` per channel of uint8 (…, 3, H, W), on the same device."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=pixels.device)[:, None, None]
        for values in (protocol.mean, protocol.std)
    )
    return (pixels.float() - mean) / std


def preprocess(image: Image.Image, protocol: Protocol | None = None) -> Tensor:
    """The network's input for a Pillow image: float32 (3, center_crop, center_crop).

    Without ``protocol``, the one behind OpenMMLab's reported VAN numbers: (3, 224, 224).
    """
    protocol = protocol or Protocol()
    return normalize(to_pixels(image, protocol), protocol)
