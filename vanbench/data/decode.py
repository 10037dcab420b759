"""Encoded images to Pillow images; one error for every way in which an image can be broken.

Only formats with a decoder of their own in Pillow are read: others, such as EPS, start a program.
"""

import io

from PIL import Image, UnidentifiedImageError

from vanbench.errors import DataError
from vanbench.file_types import describe_bytes
from vanbench.outside.safe_text import for_terminal

# ImageNet has JPEG and PNG; the others are those of layouts.images.IMAGE_SUFFIXES.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MOST_PIXELS = 89_478_485  # of an image; above it, Pillow warns of a decompression bomb
MOST_BYTES = 3 * MOST_PIXELS  # of an encoded image

JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
MOST_SCANS = 100  # of a JPEG; a progressive one has about ten, and each can take a second
MANY_SCANS_COST = 200 << 30  # bytes times pixels; below, any number of scans takes a few seconds
HEAD_BYTES = 4096  # of what is no image, for the message
TAIL_BYTES = 1024  # how far before its end an intact JPEG file may have its end marker


def decode(encoded: bytes) -> Image.Image:
    """The decoded image, as stored; DataError if the bytes are not a complete image.

    An image that cannot be converted to RGB is an error too.
    """
    image = _open(encoded)
    try:
        image.load()
        if image.mode != "RGB":
            image.convert("RGB")
    except Exception as error:  # which ones a decoder raises depends on the format and the damage
        raise DataError(f"not a readable image: {_reason(error)}") from error
    return image


def check_header(encoded: bytes) -> tuple[int, int]:
    """The image's size; DataError if the bytes do not begin like an image, or if a JPEG is cut off.

    Only the header is read, unless a JPEG has no end marker: then it is decoded.
    """
    size = _open(encoded).size
    if encoded.startswith(JPEG_START) and JPEG_END not in encoded[-TAIL_BYTES:]:
        decode(encoded)
    return size


def _open(encoded: bytes) -> Image.Image:
    """The image, of which only the header is read; DataError if it is none or too large."""
    try:
        image = Image.open(io.BytesIO(encoded), formats=FORMATS)
    except UnidentifiedImageError as error:
        found = f"expected {', '.join(FORMATS)}, found {describe_bytes(encoded[:HEAD_BYTES])}"
        raise DataError(f"not a readable image: {found}") from error
    except Exception as error:  # as above
        raise DataError(f"not a readable image: {_reason(error)}") from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        found = f"expected at most {MOST_PIXELS:,} pixels, found {width:,}×{height:,}"
        raise DataError(f"not a readable image: {found}")
    if encoded.startswith(JPEG_START) and len(encoded) * width * height > MANY_SCANS_COST:
        scans = encoded.count(JPEG_SCAN)
        if scans > MOST_SCANS:
            found = f"expected a JPEG of at most {MOST_SCANS} scans, found about {scans:,}"
            raise DataError(f"not a readable image: {found}")
    return image


def _reason(error: Exception) -> str:
    return for_terminal(str(error) or type(error).__name__, most=200)
