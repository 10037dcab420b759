"""Encoded images: what is not an image, or not a complete one, is a DataError."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import jpeg
from vanbench.data.decode import check_header, decode
from vanbench.errors import DataError


@pytest.mark.parametrize(
    "content", [b"", b"<html>not an image</html>", b"\xff\xd8\xff\xe0" + bytes(50)]
)
def test_bytes_that_are_not_an_image_are_an_error(content):
    with pytest.raises(DataError, match="not a readable image"):
        decode(content)


def test_a_truncated_image_is_an_error():
    buffer = io.BytesIO()
    noise(300, 260).save(buffer, "JPEG")
    with pytest.raises(DataError, match="not a readable image"):
        decode(buffer.getvalue()[:-2000])


def noise(width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def test_the_header_check_sees_a_cut_jpeg_and_a_foreign_file():
    check_header(jpeg(1))
    check_header(jpeg(1) + bytes(100))  # padding after the end marker is common
    for broken in (jpeg(1)[:-40], b"GIF89", b"text"):
        with pytest.raises(DataError, match="not a readable image"):
            check_header(broken)


def test_the_message_has_no_address_of_an_object():
    with pytest.raises(DataError, match=r"expected JPEG, .*, TIFF, found the bytes b'text'\.$"):
        decode(b"text")
