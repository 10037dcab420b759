"""Measured values as other tools write them, and names that several formats share."""

from fractions import Fraction

from vanbench._version import __version__
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import PARTIAL
from vanbench.zoo.class_ids import imagenet_1k

IMAGENET_1K = "ImageNet-1k"
IMAGE_CLASSIFICATION = "Image Classification"
MADE_BY = f"vanbench {__version__}"


def percent(figure: Figure) -> float | None:
    """A measured accuracy over the whole set; None for one over a part, and where there is none."""
    if figure.measured is None or figure.verdict == PARTIAL:
        return None
    return float(figure.measured)


def rounded(value: Fraction | float | None, digits: int) -> str:
    """A value with so many decimals; empty where nothing was measured."""
    return "" if value is None else f"{float(value):.{digits}f}"


def data_set(row: ModelRow) -> str:
    """The name of the data set that the accuracies of a model are about."""
    if row.entry.protocol.class_ids == imagenet_1k():
        return IMAGENET_1K
    return f"{len(row.entry.protocol.class_ids)} classes of the zoo {row.record.zoo}"
