"""Accuracies over other test sets than the model's own, as they are shown.

They are kept apart from ImageNet-1k's. A claim about such a set is judged like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vanbench.progress import counted
from vanbench.report.coverage import why_partial
from vanbench.report.records import Accuracy
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import SYMBOLS
from vanbench.zoo.other_sets import title_of


@dataclass(frozen=True)
class OtherSetAccuracy:
    """What was measured of one model over one test set, with the verdict on what is claimed of it.

    ``partial`` says why it is not over all images of the set; None if it is.
    """

    model: str
    key: str
    accuracy: Accuracy
    top1: Figure
    top5: Figure
    partial: str | None

    @property
    def title(self) -> str:
        """What the set is called."""
        return title_of(self.key)

    @property
    def found(self) -> str:
        """The accuracies and their verdicts, as a clause."""
        claimed = self.top1.reported or self.top5.reported  # the verdict has the reason
        part = f"; partial: {self.partial}" if self.partial and not claimed else ""
        top1, top5 = _in_words("Top-1", self.top1), _in_words("Top-5", self.top5)
        return f"{top1}, {top5}, over {counted(self.accuracy.images, 'image')}{part}"

    def __str__(self) -> str:
        """All of it as a sentence without a period."""
        return f"{self.model} on {self.title}: {self.found}"


def other_set_accuracies(row: ModelRow) -> Iterator[OtherSetAccuracy]:
    """Those of a model that were measured, one for each test set."""
    for key, one in row.other_sets.items():
        if one.accuracy is not None:
            partial = why_partial(row.entry, one.accuracy)
            yield OtherSetAccuracy(row.entry.name, key, one.accuracy, one.top1, one.top5, partial)


def _in_words(name: str, figure: Figure) -> str:
    text = f"{name} {float(figure.measured or 0):.3f} %"
    if figure.reported is None:
        return text
    return f"{text} ({SYMBOLS[figure.verdict]} {figure.verdict}, reported {figure.reported})"
