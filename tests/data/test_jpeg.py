"""JPEGs that have lost data: halved with a proper end, or with zeros in place of a sector."""

import io

import numpy as np
import pytest
from PIL import Image

from vanbench.data.jpeg import missing_data

KINDS = [
    {"quality": 90},
    {"subsampling": 0},
    {"subsampling": 1, "optimize": True},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 7},
]


def picture(mode="RGB", size=(233, 181)):
    """A smooth picture with some noise."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize(size)) + rng.normal(0, 12, (*size[::-1], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def missing(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return missing_data(content, image)


def halved(content):
    return content[: len(content) * 2 // 3] + b"\xff\xd9"


def with_a_hole(content):
    middle = len(content) // 2
    return content[:middle] + bytes(1024) + content[middle + 1024 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", KINDS)
def test_lost_data_are_known_in_a_baseline_jpeg(mode, options):
    sound = encoded(picture(mode), **options)
    assert missing(sound) == ""
    assert "the data end after" in missing(halved(sound))
    assert missing(with_a_hole(sound)) != ""


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_lost_scans_are_known_in_a_progressive_jpeg(mode):
    sound = encoded(picture(mode), progressive=True)
    assert missing(sound) == ""
    last_scan = sound.rfind(b"\xff\xda")
    assert missing(sound[:last_scan] + b"\xff\xd9") == "the last scans are missing"


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
@pytest.mark.parametrize("colour", [0, 127, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (17, 9), (800, 700)])
def test_images_of_one_colour_are_sound(options, colour, size):
    """They end in grey, and their data may be zeros."""
    image = Image.new("RGB", size, (colour,) * 3)
    assert missing(encoded(image, **options)) == ""


def test_zeros_outside_the_compressed_data_mean_nothing():
    assert missing(encoded(picture(), exif=b"Exif\0\0" + bytes(3000))) == ""
    assert missing(encoded(picture()) + bytes(3000)) == ""
