"""Whether an accuracy is over the images that a claim is about."""

from vanbench.data.summary import (
    BROKEN_KINDS,
    MISSING,
    OFFICIAL,
    SUBSET,
    UNCONFIRMED_ORDER,
    DataSummary,
)
from vanbench.report.records import Accuracy
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.entries import Entry
from vanbench.zoo.other_sets import OTHER_SETS


def why_partial(entry: Entry, accuracy: Accuracy) -> str | None:
    """Why an accuracy is not over the images that the entry's claim is about; None if it is.

    A claim about ImageNet-1k needs the 50,000 official images, unless the zoo names another
    number. Any other claim needs a complete set without faults, in which broken images may count
    as wrong. Over another test set it needs that set's images, all of them without a fault.
    """
    data, claimed = accuracy.data, entry.claimed_images
    if data.used < data.total:
        return f"over {data.used:,} of the {data.total:,} images of the data set"
    if data.other_set is not None:
        return _why_part_of(data)
    imagenet = entry.protocol.class_ids == imagenet_1k()
    official = imagenet and claimed == VALIDATION_IMAGES
    faults = [p for p in data.problems if p.fault and (official or p.kind not in BROKEN_KINDS)]
    if faults:
        return f"the data set is altered: {'; '.join(problem.message for problem in faults)}"
    if claimed is not None and data.used != claimed:
        return f"over {data.used:,} images, where the claim is about {claimed:,}"
    if official and data.verdict != OFFICIAL:
        return f"the data set is {data.verdict}, not official"
    if not imagenet and data.verdict == SUBSET:
        missing = [problem.message for problem in data.problems if problem.kind == MISSING]
        return "; ".join(["the data set is not complete", *missing])
    return None


def _why_part_of(data: DataSummary) -> str | None:
    """Why images are not another test set as its authors published it."""
    faults = [problem.message for problem in data.problems if problem.fault]
    if faults:
        return f"the data set is altered: {'; '.join(faults)}"
    one = OTHER_SETS[data.other_set or ""]
    if data.used != one.images:
        return f"over {data.used:,} images, where {one.title} has {one.images:,}"
    return None if data.verdict == OFFICIAL else f"the data set is {data.verdict}, not official"


def doubts(accuracy: Accuracy) -> str | None:
    """What could not be checked about the data and may explain a figure that deviates."""
    found = [p.message for p in accuracy.data.problems if p.kind == UNCONFIRMED_ORDER]
    return "; ".join(found) or None
