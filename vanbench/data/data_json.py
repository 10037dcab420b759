"""The JSON form of an inspected data set."""

from typing_extensions import TypedDict

from vanbench.data.summary import Finding


class DataJson(TypedDict):
    """A data set as it was found."""

    layout: str
    """How the images are stored, in words."""
    path: str
    """The path that was given."""
    images: int
    """How many images there are."""
    classes: int
    """How many classes they have."""
    of_classes: int
    """How many classes images of such a set can have."""
    verdict: str
    """``official``, ``altered``, ``subset`` or ``custom``."""
    sentence: str
    """The verdict in words, as it is shown first."""
    fingerprint: str
    """A hash over the images and their labels."""
    whole: bool
    """Whether every image of the set was read."""
    decoded: bool
    """Whether every image was decoded; else only the headers were read."""
    other_set: str | None
    """The key of another test set that it is, such as ``imagenet_a``; null if it is none."""
    real_labels: int | None
    """How many images have labels of ImageNet-ReaL; null where there is no ``real.json``."""
    problems: list[Finding]
    """What is wrong with the set, or worth a note."""
