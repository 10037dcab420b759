"""Encoded images to Pillow images, with every way in which they can be broken under one error."""

import io
import struct

from PIL import Image

from vanbench.errors import DataError

# What Pillow raises, by format and by kind of damage, for bytes that are no sound image.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
TAIL_BYTES = 1024  # how far from its end a sound JPEG file may have its end marker


def decode(encoded: bytes) -> Image.Image:
    """The decoded image, as stored; DataError if the bytes are not a whole image."""
    try:
        image = Image.open(io.BytesIO(encoded))
        image.load()
    except UNREADABLE as error:
        raise DataError(f"not a readable image: {_reason(error)}") from error
    return image


def check_header(encoded: bytes) -> None:
    """DataError if the bytes do not begin like an image, or end early.

    Reads the header only; a JPEG without its end marker is decoded to be sure.
    """
    try:
        Image.open(io.BytesIO(encoded))
    except UNREADABLE as error:
        raise DataError(f"not a readable image: {_reason(error)}") from error
    if encoded.startswith(JPEG_START) and JPEG_END not in encoded[-TAIL_BYTES:]:
        decode(encoded)


def _reason(error: Exception) -> str:
    """Pillow's message; its own says no more than that no format fits, with an object's address."""
    return "unknown format" if isinstance(error, Image.UnidentifiedImageError) else str(error)
