"""Mistakes of a validation, made by hand with Pillow, numpy and torch's interpolate."""

import io
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps

from tests.support.arranged import CROP, SHORT
from vanbench.checkpoints.load import open_checkpoint
from vanbench.diagnosis.ranking import diagnose
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.zoo.reported import Reported

RUN = RunOptions(device="cpu", batch_size=64, workers=0)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
EMA = "averaged (EMA) weights in place of the plain ones"


def candidate_of(name, path, protocol, layer_norm_eps=None) -> Candidate:
    """The file at ``path`` as a candidate."""
    opened = partial(open_checkpoint, path, layer_norm_eps=layer_norm_eps)
    return Candidate(name, protocol, opened)


def network_input(
    encoded, *, exif=True, edge=SHORT, how=Image.Resampling.BICUBIC, squash=False, bgr=False,
    antialias=True, mean=127.5, std=127.5, side=CROP, corner=False, resize=True,
):  # fmt: skip
    """The demo's protocol by hand, or one mistake in it: float32 (3, side, side)."""
    image = Image.open(io.BytesIO(encoded))
    image = (ImageOps.exif_transpose(image) if exif else image).convert("RGB")
    short = min(image.size)
    size = (side, side) if squash else tuple(int(edge * length / short) for length in image.size)
    if not resize:
        pixels = np.asarray(image, dtype=np.float32)
    elif antialias:
        pixels = np.asarray(image.resize(size, how), dtype=np.float32)
    else:
        planes = torch.from_numpy(np.asarray(image).transpose(2, 0, 1)[None].astype(np.float32))
        if size != image.size:
            planes = torch.nn.functional.interpolate(planes, size[::-1], mode="bicubic")
        pixels = planes[0].round().clamp(0, 255).numpy().transpose(1, 2, 0)
    crop = crop_of(pixels, side, corner)[..., :: -1 if bgr else 1]
    return ((crop - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


def crop_of(pixels, side, corner):
    """The crop at the centre or at the top left, with black around an image that is too small."""
    height, width = pixels.shape[:2]
    more = [(max(0, side - length) // 2, (max(0, side - length) + 1) // 2)
            for length in (height, width)]  # fmt: skip
    pixels = np.pad(pixels, (*more, (0, 0)))
    top, left = (0 if corner else round((n - side) / 2) for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


IMAGENET = {"mean": MEAN, "std": STD}
PLANTED = {
    "mean and std of ImageNet": IMAGENET,
    "no mean and std, only a division by 255": {"mean": 0, "std": 255},
    "EXIF orientation ignored": {"exif": False},
    "squashed to 32 × 32, without a crop": {"squash": True},
    "cropped at the top left, not at the centre": {"corner": True},
    "cropped without resizing": {"resize": False},
    "short edge 32": {"edge": 32},
    "short edge 33": {"edge": 33},
    "short edge 34": {"edge": 34},
    "short edge 35": {"edge": 35},
    "short edge 40": {"edge": 40},
    "short edge 40, crop 36": {"edge": 40, "side": 36},
    "short edge 46, crop 41": {"edge": 46, "side": 41},
    "bilinear resizing": {"how": Image.Resampling.BILINEAR},
    "nearest-neighbour resizing": {"how": Image.Resampling.NEAREST},
    "blue and red swapped (BGR)": {"bgr": True},
    "resized without antialiasing, as OpenCV and tensors do": {"antialias": False},
    "preprocessing of timm and Hugging Face (short edge 36, bicubic, mean and std of ImageNet)": {
        "exif": False,
        **IMAGENET,
    },
    "preprocessing of torchvision (short edge 36, bilinear, mean and std of ImageNet)": {
        "exif": False,
        "how": Image.Resampling.BILINEAR,
        **IMAGENET,
    },
}


def choices(model, encoded, **mistake) -> list[int]:
    """The first choice for each image."""
    batch = torch.from_numpy(np.stack([network_input(image, **mistake) for image in encoded]))
    with torch.inference_mode():
        return model(batch).argmax(1).tolist()


def top1(chosen, labels) -> Reported:
    """The figure that somebody would report."""
    hits = sum(a == b for a, b in zip(chosen, labels, strict=True))
    return Reported(f"{100 * hits / len(labels):.2f}")


def assert_named_first(found, target, name):
    """The mistake is first, and nothing else fits unless it gives the very same figure."""
    diagnosis = diagnose(found, target)
    tied = [e.name for e in diagnosis.explanations if e.correct == sum(found.right[name])]
    assert [e.name for e in diagnosis.explanations if e.fits] == tied
    assert [e.name for e in diagnosis.explanations][: len(tied)] == tied
    assert name in tied
    if len(tied) == 1:
        wanted = f"One of the mistakes tried would give {target}: {name}. Other mistakes"
    else:
        wanted = f"{len(tied)} of the mistakes tried fit {target}, and these images"
    assert diagnosis.conclusion.startswith(wanted)
    assert name in diagnosis.conclusion
