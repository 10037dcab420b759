"""The JSON form of a validation."""

from typing_extensions import TypedDict

from vanbench.data.summary import Finding
from vanbench.errors import ErrorJson
from vanbench.report.row_json import CalibrationJson, DifferenceJson


class ProtocolJson(TypedDict):
    """How an image becomes the network's input."""

    exif_orientation: bool
    """Whether the orientation that EXIF names is applied."""
    resize_short_edge: int
    """To how many pixels the short edge is resized."""
    interpolation: str
    """How pixels are interpolated: ``bicubic`` or ``bilinear``."""
    center_crop: int
    """Side of the square that is cut out of the centre, in pixels."""
    mean: list[float]
    """What is subtracted from red, green and blue, on the scale 0 to 255."""
    std: list[float]
    """What red, green and blue are divided by, on the scale 0 to 255."""
    classes: str | list[str]
    """``imagenet-1k``, or the class ids in label order."""


class UsedData(TypedDict):
    """The data set as it was used."""

    layout: str
    """How the images are stored, in words."""
    images: int
    """How many images there are."""
    classes: int
    """How many classes they have."""
    verdict: str
    """``official``, ``altered``, ``subset`` or ``custom``."""
    fingerprint: str
    """A hash over the images and their labels."""
    whole: bool
    """Whether every image of the set was read."""
    decoded: bool
    """Whether every image was decoded."""
    problems: list[Finding]
    """What is wrong with the set, or worth a note."""
    used: int
    """How many images took part."""
    total: int
    """How many images the set has."""
    other_set: str | None
    """The key of another test set that it is, such as ``imagenet_a``; null if it is none."""
    unreadable: dict[str, str]
    """Images that could not be read and count as wrong, with the reason."""
    protocol: ProtocolJson
    """How the images became the network's input."""
    partial: bool
    """Whether not all images took part, or the set is not the official one."""


class ClaimJson(TypedDict):
    """Top-1 or Top-5 beside the published number."""

    reported: float | None
    """The published number in percent; null if there is none."""
    reported_text: str | None
    """The published number as it was printed."""
    delta: float | None
    """Measured minus reported, in percentage points."""
    verdict: str
    """``reproduced``, ``close``, ``erratum``, ``deviates``, ``partial`` or ``not reported``; in
    another precision than fp32 ``not measured``."""
    reason: str | None
    """Why it is partial or not measured, or what may explain that it deviates."""


class ClaimsJson(TypedDict):
    """What the measured accuracies say about the published ones."""

    top1: ClaimJson
    """Top-1."""
    top5: ClaimJson
    """Top-5."""


class RealJson(TypedDict):
    """The same predictions counted by the labels of ImageNet-ReaL."""

    images: int
    """How many images have such labels; the others are left out."""
    correct1: int
    """How many first choices are one of the image's labels."""
    correct5: int
    """For how many images one of the first five is."""
    top1: float
    """Top-1 in percent."""
    top5: float
    """Top-5 in percent."""
    ci95: list[float]
    """The 95 % interval of Top-1: two percentages."""
    ci95_top5: list[float]
    """The 95 % interval of Top-5: two percentages."""
    partial: bool
    """Whether not all images took part, or the set or the labels are not the official ones."""
    claims: ClaimsJson | None
    """What this says about the published numbers; null for a file that no zoo has."""


class ValidatedModel(TypedDict):
    """What was measured of one model."""

    name: str
    """The model, ARCH.TAG, or the name of the file."""
    status: str
    """``measured``, or what is wrong: the status of its file, ``not measured`` or ``internal
    error``."""
    reason: str | None
    """Why it was not measured; null if it was."""
    error: ErrorJson | None
    """The failure of this model; null if it was measured."""
    images: int | None
    """How many images were predicted; null where nothing was measured."""
    correct1: int | None
    """How many first choices are right; null where nothing was measured."""
    correct5: int | None
    """How often one of the first five is right; null where nothing was measured."""
    top1: float | None
    """Top-1 in percent; null where nothing was measured."""
    top5: float | None
    """Top-5 in percent; null where nothing was measured."""
    ci95: list[float] | None
    """The 95 % interval of Top-1: two percentages; null where nothing was measured."""
    ci95_top5: list[float] | None
    """The 95 % interval of Top-5: two percentages; null where nothing was measured."""
    images_per_s: float | None
    """Images per second of the pass; null where nothing was measured or all was stored before."""
    partial: bool | None
    """Whether not all images took part, or the set is not the official one; null where nothing was
    measured."""
    weights: str | None
    """The kind of the weights, ``plain`` or ``ema`` (averaged); null where nothing was measured."""
    runtime: str | None
    """What computed, as ``--runtime`` has it; null where nothing was measured."""
    precision: str | None
    """In which precision; null where nothing was measured."""
    calibration: CalibrationJson | None
    """The images that int8 was calibrated on; null for another precision."""
    differs_from_fp32: DifferenceJson | None
    """The comparison with fp32 image by image; null in fp32, for a file of one's own, and where no
    fp32 predictions were stored."""
    claims: ClaimsJson | None
    """What this says about the numbers that were published for this data set; null where nothing
    was measured, and for a file that no zoo has."""
    real: RealJson | None
    """The counts by the labels of ImageNet-ReaL; null where there is no ``real.json`` near the
    images, and where nothing was measured."""
