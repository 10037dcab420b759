"""The class ids of ImageNet-1k; the index of an id is the label that networks are trained on."""

from functools import cache
from importlib.resources import files

VALIDATION_IMAGES = 50_000
"""How many images the validation set of ImageNet-1k has: 50 of each class."""


@cache
def imagenet_1k() -> tuple[str, ...]:
    """The 1,000 WordNet ids in label order, which is the sorted order.

    The list is the one that timm 1.0 ships as ``imagenet_synsets.txt``.
    """
    listing = files("vanbench") / "zoo" / "imagenet1k.txt"
    return tuple(listing.read_text(encoding="ascii").split())
