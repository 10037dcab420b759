"""The protocol against the same steps in Pillow and numpy, and against torchvision."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms import functional as F

import vanbench
from vanbench.data.decode import decode
from vanbench.data.preprocess import normalize, to_pixels
from vanbench.errors import DataError
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.sections import INTERPOLATIONS


def noise(width, height, mode="RGB"):
    channels = {"L": (), "RGB": (3,), "CMYK": (4,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, *channels), np.uint8)
    return Image.fromarray(pixels, mode=None if mode != "CMYK" else mode)


def step_by_step(image: Image.Image) -> np.ndarray:
    """The protocol of the reported numbers, step by step: float32 (224, 224, 3)."""
    image = ImageOps.exif_transpose(image).convert("RGB")
    width, height = image.size
    if width <= height:
        size = (248, (248 * height) // width)
    else:
        size = ((248 * width) // height, 248)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - 224) / 2) for side in size)
    crop = np.asarray(image.crop((left, top, left + 224, top + 224)))
    return (crop.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)


# Odd proportions; a side that already is 248; offsets that end in a half.
SIZES = [
    (500, 375),
    (375, 500),
    (248, 300),
    (301, 248),
    (333, 500),
    (248, 248),
    (40, 30),
    (1023, 77),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_default_protocol_is_the_published_one(size, mode):
    image = noise(*size, mode)
    tensor = vanbench.preprocess(image)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), step_by_step(image).transpose(2, 0, 1))


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 700), st.integers(1, 700)),
    st.integers(32, 64),
    st.integers(32, 64),
    st.sampled_from(INTERPOLATIONS),
)
def test_the_pixels_are_those_of_torchvision(size, one, other, interpolation):
    crop, edge = sorted((one, other))
    protocol = EvaluationProtocol(
        resize_short_edge=edge, center_crop=crop, interpolation=interpolation
    )
    image = noise(*size)
    expected = F.resize(image, edge, F.InterpolationMode(interpolation))
    expected = F.pil_to_tensor(F.center_crop(expected, crop))
    assert torch.equal(to_pixels(image, protocol), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    noise(300, 260).save(buffer, "JPEG", exif=exif)
    image = decode(buffer.getvalue())
    np.testing.assert_array_equal(
        vanbench.preprocess(image).numpy(), step_by_step(image).transpose(2, 0, 1)
    )
    if orientation != 1:
        plain = to_pixels(image, EvaluationProtocol(exif_orientation=False))
        assert not torch.equal(plain, to_pixels(image, EvaluationProtocol()))


@pytest.mark.parametrize("mode", ["CMYK", "RGBA"])
def test_other_colour_modes_become_rgb(mode):
    assert vanbench.preprocess(noise(300, 250, mode)).shape == (3, 224, 224)


def test_mean_and_std_are_per_channel_in_rgb_order():
    pixels = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)
    protocol = EvaluationProtocol(mean=(100.0, 90.0, 80.0), std=(1.0, 2.0, 5.0))
    assert normalize(pixels, protocol)[0, :, 0, 0].tolist() == [0.0, 5.0, 4.0]


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (60_000, 39)])
def test_an_image_that_would_be_too_large_when_resized_is_an_error(size):
    """20,000×1 would take 5 GB."""
    with pytest.raises(DataError, match=r"not a usable image: resizing its short edge to 248"):
        to_pixels(Image.new("RGB", size), EvaluationProtocol())


@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_is_that_of_pillow(orientation):
    image = noise(50, 30)
    image.getexif()[0x0112] = orientation
    protocol = EvaluationProtocol()
    plain = replace(protocol, exif_orientation=False)
    assert torch.equal(to_pixels(image, protocol), to_pixels(ImageOps.exif_transpose(image), plain))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",  # text
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0"
        + bytes(8),  # 0/0
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",  # a loop
    ],
)
def test_with_damaged_exif_an_image_is_taken_as_it_is_stored(exif):
    buffer = io.BytesIO()
    noise(50, 30).save(buffer, "JPEG", exif=exif)
    protocol = EvaluationProtocol()
    image = decode(buffer.getvalue())
    as_stored = to_pixels(image, replace(protocol, exif_orientation=False))
    assert torch.equal(to_pixels(image, protocol), as_stored)


def test_an_image_a_path_and_bytes_give_the_same(tmp_path):
    path = tmp_path / "image.png"
    noise(300, 260).save(path)
    expected = vanbench.preprocess(noise(300, 260))
    for image in (path, str(path), path.read_bytes()):
        assert torch.equal(vanbench.preprocess(image), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "not a readable image"),
        (b"<html>", "not a readable image: expected JPEG, .*, found"),
    ],
)
def test_a_file_that_is_no_image_is_an_error_with_its_path(tmp_path, content, message):
    path = tmp_path / "image.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        vanbench.preprocess(path)
    assert caught.value.where == path


def test_an_image_that_ends_early_is_an_error_with_its_path(tmp_path):
    path = tmp_path / "image.png"
    noise(300, 260).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="not a readable image") as caught:
        vanbench.preprocess(path)
    assert caught.value.where == path


def test_an_image_whose_proportions_are_too_extreme_is_an_error_with_its_path(tmp_path):
    path = tmp_path / "image.png"
    Image.new("L", (20_000, 1)).save(path)
    with pytest.raises(DataError, match=r"at most .* pixels") as caught:
        vanbench.preprocess(path)
    assert caught.value.where == path


@pytest.mark.parametrize("image", [np.zeros((9, 9, 3), np.uint8), None, 3])
def test_what_is_no_image_at_all(image):
    with pytest.raises(TypeError, match=r"found \w+; PIL\.Image\.fromarray"):
        vanbench.preprocess(image)
