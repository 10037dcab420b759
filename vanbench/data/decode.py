"""Encoded images to Pillow images; one error for every way in which an image can be broken."""

import io
import struct

from PIL import Image, UnidentifiedImageError

from vanbench.errors import DataError

# What Pillow raises, depending on the format and the damage, for bytes that are not an image.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
TAIL_BYTES = 1024  # how far before its end an intact JPEG file may have its end marker


def decode(encoded: bytes) -> Image.Image:
    """The decoded image, as stored; DataError if the bytes are not a complete image."""
    try:
        image = Image.open(io.BytesIO(encoded))
        image.load()
    except UNREADABLE as error:
        raise DataError(f"not a readable image: {_reason(error)}") from error
    return image


def check_header(encoded: bytes) -> None:
    """DataError if the bytes do not begin like an image, or if a JPEG is cut off.

    Only the header is read, unless a JPEG has no end marker: then it is decoded.
    """
    try:
        Image.open(io.BytesIO(encoded))
    except UNREADABLE as error:
        raise DataError(f"not a readable image: {_reason(error)}") from error
    if encoded.startswith(JPEG_START) and JPEG_END not in encoded[-TAIL_BYTES:]:
        decode(encoded)


def _reason(error: Exception) -> str:
    """Pillow's message, without that of an unknown format, which is the address of an object."""
    return "unknown format" if isinstance(error, UnidentifiedImageError) else str(error)
