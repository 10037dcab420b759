"""The plausible mistakes of a validation.

Each changes one thing and leaves the rest as it is, but for the preprocessing of other libraries,
which changes several. What the protocol itself does is no mistake, and is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from torch import Tensor
from torchvision.models import ResNet18_Weights
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from vanbench.data.layouts.labels import find_devkit
from vanbench.data.preprocess import PixelsOf, to_pixels
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
HALF = {"mean": (127.5,) * 3, "std": (127.5,) * 3}
UNIT = {"mean": (0.0,) * 3, "std": (255.0,) * 3}
INTERPOLATIONS = {"bicubic": "bicubic", "bilinear": "bilinear", "nearest": "nearest-neighbour"}
USUAL_CROP = 224
SHORT_EDGES = (224, 232, 235, 240, 248, 256, 280)  # that common code has for a crop of 224
CROPS = (192, 256, 288)  # other sides of the network's input, as common code has them
PROCESSORS = {
    "preprocessing of timm and Hugging Face": "bicubic",
    "preprocessing of torchvision": "bilinear",
}
LEAST_CROP = 32  # the smallest input that a VAN accepts


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded image becomes the network's input."""

    protocol: EvaluationProtocol
    pixels_of: PixelsOf = to_pixels


def preprocessings(protocol: EvaluationProtocol) -> dict[str, Preprocessing]:
    """The mistaken preprocessings by name."""
    changed = {name: replace(protocol, **change) for name, change in _changes(protocol)}
    found = {name: Preprocessing(other) for name, other in changed.items() if other != protocol}
    side = protocol.center_crop
    return found | {
        "blue and red swapped (BGR)": Preprocessing(protocol, swapped),
        "resized without antialiasing, as OpenCV and tensors do": Preprocessing(protocol, aliased),
        f"squashed to {side} × {side}, without a crop": Preprocessing(protocol, squashed),
        "cropped at the top left, not at the centre": Preprocessing(protocol, cornered),
        "cropped without resizing": Preprocessing(protocol, unresized),
    }


def _changes(protocol: EvaluationProtocol) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is mistaken, and the protocol's fields that then have other values."""
    yield "mean and std of ImageNet", IMAGENET
    yield "mean and std of 127.5", HALF
    yield "no mean and std, only a division by 255", UNIT
    turned = "EXIF orientation ignored" if protocol.exif_orientation else "EXIF orientation applied"
    yield turned, {"exif_orientation": not protocol.exif_orientation}
    for interpolation, name in INTERPOLATIONS.items():
        yield f"{name} resizing", {"interpolation": interpolation}
    yield from _other_sizes(protocol)
    yield from _processors(protocol)


def _other_sizes(protocol: EvaluationProtocol) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other short edges for the same crop, and other crops with the edge in proportion."""
    crop, edge = protocol.center_crop, protocol.resize_short_edge
    for usual in SHORT_EDGES:
        other = usual * crop // USUAL_CROP
        yield f"short edge {other}", {"resize_short_edge": other}
    for usual in CROPS:
        side = usual * crop // USUAL_CROP
        if side >= LEAST_CROP:
            name = f"short edge {edge * side // crop}, crop {side}"
            yield name, {"resize_short_edge": edge * side // crop, "center_crop": side}


def _processors(protocol: EvaluationProtocol) -> Iterator[tuple[str, dict[str, Any]]]:
    """The usual preprocessing of other libraries: crop 0.875 with the mean and std of ImageNet.

    timm: DEFAULT_CROP_PCT and bicubic resizing, unless a model says otherwise. transformers:
    ConvNextImageProcessor, which VanForImageClassification uses, with ``crop_pct`` 224/256.
    torchvision: the preset ImageClassification, bilinear. None of them applies the EXIF
    orientation.
    """
    edge = protocol.center_crop * 8 // 7
    for libraries, interpolation in PROCESSORS.items():
        name = f"{libraries} (short edge {edge}, {interpolation}, mean and std of ImageNet)"
        yield (
            name,
            {
                "exif_orientation": False,
                "resize_short_edge": edge,
                "interpolation": interpolation,
                **IMAGENET,
            },
        )


def swapped(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The pixels in the order blue, green, red."""
    return to_pixels(image, protocol).flip(0)


def aliased(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The pixels of a resize that samples the image without low-pass filter."""
    pixels = F.pil_to_tensor(_upright(image, protocol))
    how = InterpolationMode(protocol.interpolation)
    resized = F.resize(pixels, [protocol.resize_short_edge], how, antialias=False)
    return F.center_crop(resized, [protocol.center_crop])


def squashed(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The pixels of the complete image at the crop's size; its proportions change."""
    side = protocol.center_crop
    how = InterpolationMode(protocol.interpolation)
    return F.pil_to_tensor(F.resize(_upright(image, protocol), [side, side], how))


def cornered(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The pixels at the top left of the resized image."""
    side = protocol.center_crop
    how = InterpolationMode(protocol.interpolation)
    resized = F.resize(_upright(image, protocol), [protocol.resize_short_edge], how)
    return F.pil_to_tensor(F.crop(resized, 0, 0, side, side))


def unresized(image: Image.Image, protocol: EvaluationProtocol) -> Tensor:
    """The pixels at the centre of the image as it is, with a black border where it is smaller."""
    side = protocol.center_crop
    return F.pil_to_tensor(F.center_crop(_upright(image, protocol), [side, side]))


def _upright(image: Image.Image, protocol: EvaluationProtocol) -> Image.Image:
    turned = ImageOps.exif_transpose(image) if protocol.exif_orientation else image
    return turned.convert("RGB")


@dataclass(frozen=True)
class ClassOrder:
    """A mistaken numbering: the index that each class, in label order, is given."""

    indices: tuple[int, ...]


def class_orders(protocol: EvaluationProtocol, data: Path) -> dict[str, ClassOrder | str]:
    """The mistaken class orders by name, or why one cannot be tried. ``data`` is the set's path."""
    ids = protocol.class_ids
    names = imagenet_class_names() if ids == imagenet_1k() else ids
    orders: dict[str, ClassOrder | str] = {
        "class indices one too high (a stray folder before them)": ClassOrder(
            tuple(range(1, len(ids) + 1))
        ),
        "classes sorted by name": _by_name(names),
    }
    if ids == imagenet_1k():
        orders["classes in the devkit's order"] = _by_devkit(ids, data)
    return orders


def imagenet_class_names() -> tuple[str, ...]:
    """The English name of each ImageNet-1k class in label order, as torchvision has them."""
    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


def _by_name(names: Sequence[str]) -> ClassOrder | str:
    ranked = sorted(range(len(names)), key=lambda label: names[label])
    if ranked == list(range(len(names))):
        return "the class ids are already in that order"
    return ClassOrder(tuple(ranked.index(label) for label in range(len(names))))


def _by_devkit(ids: Sequence[str], data: Path) -> ClassOrder | str:
    wnids = find_devkit(data)
    if wnids is None:
        return "no devkit beside the data says what that order is"
    number = {wnid: number for number, wnid in wnids.items()}
    return ClassOrder(tuple(number[wnid] - 1 for wnid in ids))
