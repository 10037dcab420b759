"""The images from which int8 takes the ranges of activations, and what a record says of them."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vanbench.data.decode import decode
from vanbench.data.layouts.images import ImageSet
from vanbench.data.preprocess import normalize, to_pixels
from vanbench.data.unlabelled import open_unlabelled
from vanbench.errors import DataError
from vanbench.evaluation.plan import spread
from vanbench.report.records import OTHER_IMAGES, VALIDATION_SET, Calibration
from vanbench.runtimes.quantize import tool
from vanbench.zoo.entries import EvaluationProtocol

IMAGES = 128
"""How many are taken. With a quarter of them the logits of the demo's models were as near to fp32;
128 need 77 MB and, for VAN-B0, ten seconds."""

FEW = 32
"""With fewer, the error of the demo's models grows (docs/precision.md)."""


@dataclass(frozen=True)
class CalibrationImages:
    """Normalised images (n, 3, side, side), and what a record says of them."""

    images: Tensor
    about: Calibration


@dataclass(frozen=True)
class _Read:
    """An image as it was read: its hash, the bytes that it has, and its normalised crop."""

    sha256: str
    size: int
    crop: Tensor


def calibration_images(
    validation: ImageSet, protocol: EvaluationProtocol, other: Path | None
) -> CalibrationImages:
    """At most ``IMAGES`` of the set at ``other``, else of the validation set, spread evenly.

    The same sets give the same images in the same order. Those at ``other`` whose bytes are those
    of an image of the validation set are left out; so are unreadable ones. DataError if none is
    left.
    """
    images = validation if other is None else open_unlabelled(other)
    indices = spread(len(images), IMAGES)
    read = list(_read(images, indices, protocol))
    known = set() if other is None else _known(read, validation)
    used = [one for one in read if one.sha256 not in known]
    if not used:
        raise DataError(
            "expected images for the calibration of int8, found none that can be read"
            + " and is not in the validation set" * (other is not None),
            where=images.path,
            remedy="Give other images with --calibration, or leave it out to take some of the "
            "validation set.",
        )
    return CalibrationImages(
        torch.stack([one.crop for one in used]),
        Calibration(
            source=VALIDATION_SET if other is None else OTHER_IMAGES,
            images=len(used),
            sha256=hashlib.sha256("\n".join(one.sha256 for one in used).encode()).hexdigest(),
            tool=tool(),
            in_validation_set=len(read) - len(used),
            unreadable=len(indices) - len(read),
        ),
    )


def _read(
    images: ImageSet, indices: Iterable[int], protocol: EvaluationProtocol
) -> Iterable[_Read]:
    """Those that can be read."""
    for index in indices:
        with suppress(DataError):
            encoded = images.read(index)
            crop = normalize(to_pixels(decode(encoded), protocol), protocol)
            yield _Read(hashlib.sha256(encoded).hexdigest(), len(encoded), crop)


def _known(read: Iterable[_Read], validation: ImageSet) -> set[str]:
    """The hashes of images that are in the validation set, too.

    Only images with as many bytes as one of them are read, where a set tells that at once.
    """
    sizes, wanted = validation.sizes(), {one.size for one in read}
    every = range(len(validation))
    same_size = every if sizes is None else [i for i in every if sizes[i] in wanted]
    hashes = set()
    for index in validation.storage_order(same_size):
        with suppress(DataError):
            hashes.add(hashlib.sha256(validation.read(index)).hexdigest())
    return hashes
