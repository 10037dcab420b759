"""Which published test set a set of images is, other than the validation set of ImageNet-1k.

ImageNet-V2 says so by the name of its folder. The others have class folders as ImageNet-1k can have
them: ImageNet-A and -R are told by their 200 classes, ImageNet-Sketch by the names of its images.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath

from vanbench.data.layouts.images import ImageSet, basename
from vanbench.data.layouts.official import official_number
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.other_sets import OTHER_SETS

V2_FOLDERS = (
    "imagenetv2-matched-frequency-format-val",
    "imagenetv2-threshold0.7-format-val",
    "imagenetv2-top-images-format-val",
)
"""The folders in the archives of ImageNet-V2's three variants."""

_V2 = re.compile(r"imagenet-?v2")
_VARIANTS = {
    "imagenet_v2_matched_frequency": re.compile(r"matched-?frequency"),
    "imagenet_v2_threshold": re.compile(r"threshold-?0\.?7"),
    "imagenet_v2_top_images": re.compile(r"top-?images"),
}
_SKETCH = re.compile(r"sketch_\d+\.")


def v2_variant(*places: PurePath | str) -> str | None:
    """The key of the variant of ImageNet-V2 that paths name in their last parts; None if none."""
    parts = [part for place in places for part in PurePath(place).parts[-2:]]
    text = "/".join(parts).lower().replace("_", "-")
    found = [key for key, variant in _VARIANTS.items() if variant.search(text)]
    return found[0] if _V2.search(text) and len(found) == 1 else None


def numbered_labels() -> dict[str, int]:
    """The label of each folder of ImageNet-V2: ``10`` is class 10, wherever it is listed."""
    return {str(label): label for label in range(len(imagenet_1k()))}


def recognise(images: ImageSet) -> ImageSet:
    """The set with the key of the test set that its classes and names show, if they show one.

    Images with official names are a part of ImageNet-1k, whatever their classes.
    """
    if images.other_set or images.class_ids != imagenet_1k() or not len(images):
        return images
    if all(_SKETCH.match(basename(name)) for name in images.names):
        return replace(images, other_set="imagenet_sketch")
    found = {images.class_ids[label] for label in set(images.labels)}
    for one in OTHER_SETS.values():
        if one.class_ids and found == {*one.class_ids} and not _any_official(images.names):
            return replace(images, other_set=one.key)
    return images


def _any_official(names: Iterable[str]) -> bool:
    return any(official_number(name) is not None for name in names)
