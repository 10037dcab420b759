"""Whether an accuracy is over the images that a claim is about."""

from vanbench.data.summary import BROKEN_KINDS, MISSING, OFFICIAL, SUBSET, UNCONFIRMED_ORDER
from vanbench.report.records import Accuracy
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.entries import Entry


def why_partial(entry: Entry, accuracy: Accuracy) -> str | None:
    """Why an accuracy is not over the images that the entry's claim is about; None if it is.

    A claim about ImageNet-1k needs the 50,000 official images, unless the zoo names another
    number. Any other claim needs a complete set without faults, in which broken images may count
    as wrong.
    """
    data, claimed = accuracy.data, entry.claimed_images
    if data.used < data.total:
        return f"over {data.used:,} of the {data.total:,} images of the data set"
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


def doubts(accuracy: Accuracy) -> str | None:
    """What could not be checked about the data and may explain a figure that deviates."""
    found = [p.message for p in accuracy.data.problems if p.kind == UNCONFIRMED_ORDER]
    return "; ".join(found) or None
