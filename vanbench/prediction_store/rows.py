"""The stored predictions of a run, image by image, with names and class ids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import TypedDict

from vanbench.errors import RecordError, UnknownRunError
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.prediction_store.prediction import TOP, Tally, is_correct1, is_correct5
from vanbench.prediction_store.store import Store, StoredRun
from vanbench.zoo.search import arch_of, normal_name

MOST_NAMED = 20  # runs in a message


@dataclass(frozen=True)
class PredictionRow:
    """What a run predicted for one image; ``top`` are class ids, best first, with their logits."""

    name: str
    sha256: str
    wnid: str
    top: tuple[str, ...]
    logits: tuple[float, ...]

    @property
    def correct1(self) -> bool:
        """Whether the first choice is right."""
        return is_correct1(self.wnid, self.top)

    @property
    def correct5(self) -> bool:
        """Whether one of the five is right."""
        return is_correct5(self.wnid, self.top)


def find_run(store: Store, run: str) -> StoredRun:
    """The run of that number, or the last one of that model; UnknownRunError otherwise.

    Case and ``-``/``_`` of a model's name do not matter, and it may be without its tag where the
    stored runs have it with one tag only.
    """
    runs = store.runs()
    for stored in reversed(runs):
        if run in (str(stored.id), stored.model):
            return stored
    wanted = normal_name(run)
    named = [stored for stored in runs if wanted == normal_name(stored.model)]
    named = named or [stored for stored in runs if wanted == normal_name(arch_of(stored.model))]
    if len({stored.model for stored in named}) == 1:
        return named[-1]
    known = ", ".join(f"{stored.id} ({stored.model})" for stored in runs[-MOST_NAMED:]) or "none"
    known = for_terminal(known, most=1000)
    raise UnknownRunError(
        f"expected the number of a stored run or its model's name, found {shorten(run)}",
        where=store.path,
        remedy=f"The stored runs are: {known}.",
    )


def stored_rows(store: Store, run: StoredRun) -> Iterator[PredictionRow]:
    """A row for each image of the set that the run was last applied to, in its order."""
    if run.data is None:
        raise RecordError(
            f"expected a data set that run {run.id} was applied to, found none",
            where=store.path,
            remedy="Run the validation again.",
        )
    data, hashes = store.data_set(run.data), store.hashes()
    predictions = store.read(run.id, classes=len(data.class_ids))
    for member in data.members:
        prediction = predictions.get(member.image)
        if prediction is not None:
            if member.image not in hashes:
                raise RecordError(
                    f"image {member.image} of run {run.id} is missing",
                    where=store.path,
                    remedy="Move the file away, and run the validation again.",
                )
            yield PredictionRow(
                name=member.name,
                sha256=hashes[member.image],
                wnid=data.class_ids[member.label],
                top=tuple(data.class_ids[label] for label in prediction.top[:TOP]),
                logits=prediction.logits,
            )


def stored_tally(store: Store, run: StoredRun) -> Tally:
    """The counts of a run over the set that it was last applied to, as far as it got."""
    if run.data is None:
        return Tally()
    data = store.data_set(run.data)
    predictions = store.read(run.id, classes=len(data.class_ids))
    return Tally.of(
        (member.label, predictions[member.image].top)
        for member in data.members
        if member.image in predictions
    )


class RunJson(TypedDict):
    """One stored run."""

    run: int
    """The number of the run."""
    name: str
    """The model."""
    images: int
    """How many predictions are stored."""
    started: str
    """When the run began, in UTC."""
    fingerprint: str | None
    """The data set that the run was last applied to; null if none."""
    counted: int
    """Over how many of that set's images the figures are."""
    correct1: int | None
    """How many first choices are right; null if none is counted."""
    correct5: int | None
    """How often one of the first five is right; null if none is counted."""
    top1: float | None
    """Top-1 in percent; null if none is counted."""
    top5: float | None
    """Top-5 in percent; null if none is counted."""
    checkpoint: str
    """SHA-256 of the checkpoint file."""
    protocol: Mapping[str, Any]
    """How images became the network's input, as the run noted it."""
    numerics: Mapping[str, Any]
    """What can change a logit: precision, device, versions, as the run noted it."""


def run_json(run: StoredRun, tally: Tally) -> RunJson:
    """The form of ``predictions --json`` for one run."""
    return {
        "run": run.id,
        "name": run.model,
        "images": run.images,
        "started": run.started,
        "fingerprint": run.fingerprint,
        "counted": tally.images,
        "correct1": tally.correct1 if tally.images else None,
        "correct5": tally.correct5 if tally.images else None,
        "top1": tally.top1 if tally.images else None,
        "top5": tally.top5 if tally.images else None,
        "checkpoint": run.key.checkpoint,
        "protocol": run.key.protocol,
        "numerics": run.key.numerics,
    }
