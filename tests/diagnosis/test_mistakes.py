"""Which mistakes are tried under a protocol, and what each does to the pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vanbench.data.preprocess import normalize, to_pixels
from vanbench.diagnosis.mistakes import (
    IMAGENET,
    ClassOrder,
    class_orders,
    cornered,
    preprocessings,
    squashed,
    swapped,
    unresized,
)
from vanbench.zoo.entries import EvaluationProtocol

USUAL = EvaluationProtocol()
TIMM = "preprocessing of timm and Hugging Face (short edge 256, bicubic, mean and std of ImageNet)"
TORCHVISION = "preprocessing of torchvision (short edge 256, bilinear, mean and std of ImageNet)"


def image(width=300, height=260, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_the_mistakes_under_openmmlabs_protocol():
    assert set(preprocessings(USUAL)) == {
        "mean and std of ImageNet",
        "no mean and std, only a division by 255",
        "EXIF orientation ignored",
        "bilinear resizing",
        "nearest-neighbour resizing",
        *(f"short edge {edge}" for edge in (224, 232, 235, 240, 256, 280)),
        "short edge 212, crop 192",
        "short edge 283, crop 256",
        "short edge 318, crop 288",
        TIMM,
        TORCHVISION,
        "blue and red swapped (BGR)",
        "resized without antialiasing, as OpenCV and tensors do",
        "squashed to 224 × 224, without a crop",
        "cropped at the top left, not at the centre",
        "cropped without resizing",
    }


def test_the_protocols_of_other_libraries():
    """Resize to 256, crop 224, mean and std of ImageNet; EXIF is not applied."""
    for name, interpolation in ((TIMM, "bicubic"), (TORCHVISION, "bilinear")):
        assert preprocessings(USUAL)[name].protocol == EvaluationProtocol(
            exif_orientation=False,
            resize_short_edge=256,
            interpolation=interpolation,
            center_crop=224,
            **IMAGENET,
        )


def test_what_the_protocol_does_is_no_mistake():
    timm = preprocessings(USUAL)[TIMM].protocol
    names = preprocessings(timm)
    assert "mean and std of ImageNet" not in names
    assert "short edge 256" not in names
    assert TIMM not in names
    assert {"mean and std of 127.5", "short edge 248", "EXIF orientation applied"} <= set(names)
    nearest = preprocessings(replace(USUAL, interpolation="nearest"))
    assert "nearest-neighbour resizing" not in nearest
    assert "bicubic resizing" in nearest


@pytest.mark.parametrize("size", [(300, 260), (100, 400), (500, 333)])
def test_every_mistake_gives_an_input_for_the_network(size):
    for name, way in preprocessings(USUAL).items():
        pixels = way.pixels_of(image(*size), way.protocol)
        side = way.protocol.center_crop
        assert (pixels.shape, pixels.dtype) == ((3, side, side), torch.uint8), name
        assert normalize(pixels, way.protocol).isfinite().all()


def test_no_two_mistakes_give_the_same_input():
    inputs = []
    sideways = image()
    sideways.getexif()[0x0112] = 6
    for way in preprocessings(USUAL).values():
        found = normalize(way.pixels_of(sideways, way.protocol), way.protocol)
        inputs.append(found)
    inputs.append(normalize(to_pixels(sideways, USUAL), USUAL))
    for i, a in enumerate(inputs):
        for b in inputs[:i]:
            assert a.shape != b.shape or not torch.equal(a, b)


def test_channels_are_swapped():
    assert torch.equal(swapped(image(), USUAL), to_pixels(image(), USUAL)[[2, 1, 0]])


def test_a_crop_at_the_top_left():
    found = cornered(image(), USUAL).permute(1, 2, 0).numpy()
    resized = image().resize((248 * 300 // 260, 248), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(resized)[:224, :224])


def test_no_crop():
    found = squashed(image(), USUAL).permute(1, 2, 0).numpy()
    resized = image().resize((224, 224), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(resized))


def test_no_resizing():
    found = unresized(image(), USUAL).permute(1, 2, 0).numpy()
    assert np.array_equal(found, np.asarray(image())[18:242, 38:262])
    small = unresized(image(100, 100), USUAL)
    assert small.shape == (3, 224, 224)
    assert np.array_equal(small[:, 62:162, 62:162].permute(1, 2, 0).numpy(), image(100, 100))
    assert small[:, :62].max() == 0


def test_class_orders_of_a_set_with_its_own_classes(tmp_path):
    protocol = EvaluationProtocol(classes=("b", "c", "a"))
    found = class_orders(protocol, tmp_path)
    assert found == {
        "class indices one too high (a stray folder before them)": ClassOrder((1, 2, 3)),
        "classes sorted by name": ClassOrder((1, 2, 0)),
    }
    in_order = class_orders(EvaluationProtocol(classes=("a", "b")), tmp_path)
    assert in_order["classes sorted by name"] == "the class ids are already in that order"
    reason = class_orders(USUAL, tmp_path)["classes in the devkit's order"]
    assert reason == "no devkit beside the data says what that order is"
