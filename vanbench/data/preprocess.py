"""From an encoded image to the network's input, exactly as a protocol says.

The steps are Pillow's. torchvision's functions give the same pixels, which the tests check, but
importing torchvision takes more than a second.
"""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from vanbench.zoo.entries import EvaluationProtocol

PixelsOf = Callable[[Image.Image, EvaluationProtocol], Tensor]  # to_pixels, or a replacement


def to_pixels(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The uint8 RGB crop (3, center_crop, center_crop) that the network sees.

    The long edge is truncated to an integer in proportion and the crop's offsets are rounded half
    to even, as torchvision and OpenMMLab do. Pillow's filters are antialiased.
    """
    if protocol.exif_orientation:
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    short, edge = min(image.size), protocol.resize_short_edge
    width, height = (edge if side == short else edge * side // short for side in image.size)
    image = image.resize((width, height), Image.Resampling[protocol.interpolation.upper()])
    crop = protocol.center_crop
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    pixels = np.array(image.crop((left, top, left + crop, top + crop)))  # (H, W, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def normalize(pixels: Tensor, protocol: EvaluationProtocol) -> Tensor:
    """float32 ``(pixels − mean) / std`` per channel of uint8 (…, 3, H, W), on the same device."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=pixels.device)[:, None, None]
        for values in (protocol.mean, protocol.std)
    )
    return (pixels.float() - mean) / std


def preprocess(image: Image.Image, protocol: EvaluationProtocol | None = None) -> Tensor:
    """The network's input for a Pillow image: float32 (3, center_crop, center_crop).

    The default protocol is the one of OpenMMLab's VAN configurations: (3, 224, 224).
    """
    protocol = protocol or EvaluationProtocol()
    return normalize(to_pixels(image, protocol), protocol)
