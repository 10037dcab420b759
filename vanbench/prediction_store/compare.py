"""Two runs image by image: where they agree, which images flipped, and whether that is chance.

A run comes from the stored predictions or from an exported CSV file. Images are matched by the
SHA-256 of their encoded files, so the runs may have read different layouts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanbench.errors import DataError, RecordError, UnknownRunError
from vanbench.intervals import mcnemar
from vanbench.prediction_store.export import FIVE, PredictionRow, read_csv
from vanbench.prediction_store.store import Store, StoredRun

EXPORTS = (".csv",)


@dataclass(frozen=True)
class RunPredictions:
    """The rows of one run, by the image's SHA-256, and what to call the run."""

    title: str
    key: Mapping
    rows: dict[str, PredictionRow]


@dataclass(frozen=True)
class Flip:
    """An image on which the runs' first choices differ."""

    name: str
    wnid: str
    before: str
    after: str
    margin: float

    @property
    def effect(self) -> str:
        """``gained``, ``lost``, or ``neither`` where both are wrong."""
        if self.after == self.wnid:
            return "gained"
        return "lost" if self.before == self.wnid else "neither"


@dataclass(frozen=True)
class Agreement:
    """How two runs relate over the ``images`` that both have.

    ``gained`` and ``lost`` are the images that only the second or only the first gets right
    (Top-1), ``p`` is McNemar's exact p-value for them.
    """

    images: int
    only_first: int
    only_second: int
    same_top1: int
    same_top5: int
    correct: tuple[int, int]
    largest_logit_difference: float | None
    flips: tuple[Flip, ...]
    changed: Mapping[str, tuple]

    @property
    def gained(self) -> int:
        """Images that only the second run gets right."""
        return sum(flip.effect == "gained" for flip in self.flips)

    @property
    def lost(self) -> int:
        """Images that only the first run gets right."""
        return sum(flip.effect == "lost" for flip in self.flips)

    @property
    def p(self) -> float:
        """The p-value of McNemar's test."""
        return mcnemar(self.gained, self.lost)

    def as_dict(self) -> dict:
        """The JSON form."""
        return {
            "images": self.images,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "same_top1": self.same_top1,
            "same_top5": self.same_top5,
            "correct": list(self.correct),
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p,
            "largest_logit_difference": self.largest_logit_difference,
            "changed": {name: list(values) for name, values in self.changed.items()},
            "flips": [flip.__dict__ | {"effect": flip.effect} for flip in self.flips],
        }


def compare_runs(first: RunPredictions, second: RunPredictions) -> Agreement:
    """The agreement over the images that both have; DataError if there are none."""
    common = [sha256 for sha256 in first.rows if sha256 in second.rows]
    if not common:
        raise DataError(
            f"{first.title} and {second.title} have no image in common: they are of different "
            "data sets."
        )
    pairs = [(first.rows[sha256], second.rows[sha256]) for sha256 in common]
    flips = [_flip(a, b) for a, b in pairs if a.top[0] != b.top[0]]
    return Agreement(
        images=len(common),
        only_first=len(first.rows) - len(common),
        only_second=len(second.rows) - len(common),
        same_top1=len(common) - len(flips),
        same_top5=sum(set(a.top) == set(b.top) for a, b in pairs),
        correct=(sum(a.correct1 for a, _ in pairs), sum(b.correct1 for _, b in pairs)),
        largest_logit_difference=max(_differences(pairs), default=None),
        flips=tuple(sorted(flips, key=lambda flip: flip.name)),
        changed={
            name: (first.key.get(name), second.key.get(name))
            for name in sorted({*first.key, *second.key})
            if first.key.get(name) != second.key.get(name)
        },
    )


def _flip(a: PredictionRow, b: PredictionRow) -> Flip:
    """``margin`` is by how much the first run preferred its choice to its next one."""
    margin = a.logits[0] - a.logits[1] if len(a.logits) > 1 else 0.0
    return Flip(b.name, b.wnid, a.top[0], b.top[0], margin)


def _differences(pairs: Sequence[tuple[PredictionRow, PredictionRow]]) -> Iterator[float]:
    """Absolute differences of the logits of the classes that both runs list."""
    for a, b in pairs:
        other = dict(zip(b.top, b.logits, strict=True))
        for wnid, logit in zip(a.top, a.logits, strict=True):
            if wnid in other:
                yield abs(logit - other[wnid])


def load_run(store_path: Path, run: str) -> RunPredictions:
    """The run of that number in the store, the last one of that model, or that of a CSV file."""
    if Path(run).suffix in EXPORTS:
        return RunPredictions(run, {}, {row.sha256: row for row in read_csv(Path(run))})
    with Store(store_path, create=False) as store:
        stored = find_run(store, run)
        rows = {row.sha256: row for row in export(store, stored)}
    numerics = {f"numerics.{k}": v for k, v in stored.key.numerics.items()}
    protocol = {f"protocol.{k}": v for k, v in stored.key.protocol.items()}
    key = {"checkpoint": stored.key.checkpoint, **protocol, **numerics}
    return RunPredictions(f"run {stored.id} ({stored.model})", key, rows)


def find_run(store: Store, run: str) -> StoredRun:
    """The run of that number, or the last one of that model; UnknownRunError otherwise."""
    runs = store.runs()
    for stored in reversed(runs):
        if run in (str(stored.id), stored.model):
            return stored
    known = ", ".join(f"{stored.id} ({stored.model})" for stored in runs) or "none"
    raise UnknownRunError(f"No run {run!r} in {store.path}. It has {known}.")


def export(store: Store, run: StoredRun) -> Iterator[PredictionRow]:
    """A row for each image of the set that the run was last applied to, in its order."""
    if run.fingerprint is None:
        raise RecordError(f"{store.path}: run {run.id} was never applied to a data set.")
    class_ids, members = store.members(run.fingerprint)
    predictions, hashes = store.read(run.id), store.hashes()
    for member in members:
        prediction = predictions.get(member.image)
        if prediction is not None:
            top = tuple(class_ids[label] for label in prediction.top[:FIVE])
            yield PredictionRow(
                member.name, hashes[member.image], class_ids[member.label], top, prediction.logits
            )
