"""Encoded images: what is not an image, or not a complete one, is a DataError."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import jpeg
from vanbench.data.decode import FORMATS, check_header, decode
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


def test_a_format_that_starts_a_program_is_not_read(tmp_path, monkeypatch):
    """Pillow hands EPS to Ghostscript, by whatever name a file has."""
    called = tmp_path / "called"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {called}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    for read in (decode, check_header):
        with pytest.raises(DataError, match=r"expected JPEG, .*, found the bytes b'%!PS"):
            read(eps)
    assert not called.exists()


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_formats_of_data_sets_are_read(form, mode):
    assert decode(saved(noise(30, 20).convert(mode), form)).size == (30, 20)


@pytest.mark.parametrize("size", [(65_500, 65_500), (9_500, 9_500)])
def test_an_image_of_too_many_pixels_is_an_error_before_it_is_decoded(size):
    content = bytearray(jpeg(1))
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", *size)
    for read in (decode, check_header):
        with pytest.raises(DataError, match=r"pixels"):
            read(bytes(content))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_chunk_that_unpacks_to_hundreds_of_megabytes_is_an_error(kind):
    png = saved(noise(9, 9), "PNG")
    bomb = chunk(kind, b"k\0\0" + zlib.compress(bytes(50_000_000)))
    with pytest.raises(DataError, match="too large"):
        decode(png[:33] + bomb + png[33:])


def test_a_jpeg_of_hundreds_of_scans_is_an_error():
    content = saved(Image.new("L", (9000, 9000)), "JPEG", progressive=True)
    last = content[content.rfind(b"\xff\xda") : -2]
    many = content[:-2] + 400 * last + content[-2:]
    with pytest.raises(DataError, match="at most 100 scans, found about 4"):
        check_header(many)
