"""The self-check passes here, and finds each way in which a decoder or resizer can differ."""

from dataclasses import replace

import pytest
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from vanbench.data.decoder_check import PIXELS, check_decoder
from vanbench.data.preprocess import to_pixels
from vanbench.typed_json import to_json

KINDS = {
    "jpeg-444",
    "jpeg-420",
    "jpeg-progressive",
    "jpeg-grey",
    "jpeg-cmyk",
    "jpeg-exif-rotated",
    "png-content",
}


def test_every_kind_gives_the_expected_pixels_here():
    result = check_decoder()
    assert result.ok, result.summary
    assert result.kinds == len(KINDS)
    assert result.differences == {}
    assert f"Pillow {Image.__version__}" in result.summary


def test_the_files_are_of_the_kinds_that_they_are_named_after():
    images = {kind: Image.open(PIXELS / f"{kind}.JPEG") for kind in KINDS}
    modes = {"jpeg-grey": "L", "jpeg-cmyk": "CMYK"}
    assert {k: image.mode for k, image in images.items()} == {k: modes.get(k, "RGB") for k in KINDS}
    assert images["png-content"].format == "PNG"
    assert images["jpeg-exif-rotated"].getexif()[0x0112] == 6
    assert images["jpeg-progressive"].info["progressive"]
    sampling = {k: images[k].layer[0][1:3] for k in ("jpeg-444", "jpeg-420")}
    assert sampling == {"jpeg-444": (1, 1), "jpeg-420": (2, 2)}


def no_exif(image, protocol):
    return to_pixels(image, replace(protocol, exif_orientation=False))


def bgr(image, protocol):
    return to_pixels(image, protocol).flip(0)


def resized_as_tensor(image, protocol):
    """Not Pillow's filter: the same bicubic in floating point, rounded at the end."""
    pixels = F.pil_to_tensor(ImageOps.exif_transpose(image).convert("RGB"))
    resized = F.resize(pixels, protocol.resize_short_edge, InterpolationMode.BICUBIC)
    return F.center_crop(resized, protocol.center_crop)


def one_level_brighter(image, protocol):
    pixels = to_pixels(image, protocol)
    pixels[0, 0, 0] = pixels[0, 0, 0] ^ 1
    return pixels


@pytest.mark.parametrize(
    ("fault", "kinds", "largest"),
    [
        (no_exif, {"jpeg-exif-rotated"}, 100),
        (bgr, KINDS - {"jpeg-grey"}, 100),
        (resized_as_tensor, KINDS, 1),
        (one_level_brighter, KINDS, 1),
    ],
)
def test_a_difference_is_found_and_measured(fault, kinds, largest):
    result = check_decoder(fault)
    differences = result.differences
    assert differences.keys() == kinds
    assert not result.ok
    assert max(d.largest for d in differences.values()) >= largest
    assert all(f"{kind}: " in result.summary for kind in kinds)
    assert to_json(result)["differences"].keys() == kinds


def test_the_count_of_differing_values_is_exact():
    result = check_decoder(one_level_brighter)
    found = {(d.values, d.different, d.largest) for d in result.differences.values()}
    assert found == {(3 * 56 * 56, 1, 1)}
