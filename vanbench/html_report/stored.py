"""What the stored predictions say: the hardest classes of each model, and images that flip."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vanbench.errors import DataError
from vanbench.prediction_store.compare import Flip, RunPredictions, compare_runs, flat_key
from vanbench.prediction_store.rows import PredictionRow, stored_rows
from vanbench.prediction_store.store import Store, StoredRun
from vanbench.report.records import FP32

MOST_CLASSES = 10
MOST_FLIPS = 20


@dataclass(frozen=True)
class HardClass:
    """A class: its images, how many are right (Top-1), and which class is chosen most instead."""

    wnid: str
    images: int
    correct1: int
    instead: str
    times: int


@dataclass(frozen=True)
class ModelClasses:
    """The hardest classes of one stored run; those without a mistake are not in it."""

    model: str
    run: int
    images: int
    classes: tuple[HardClass, ...]


@dataclass(frozen=True)
class ModelFlips:
    """How the first choices of two models differ over ``images`` that both saw.

    ``gained`` and ``lost`` are the images that only the second or only the first gets right, None
    where the labels differ; ``flips`` are a few of these.
    """

    first: str
    second: str
    images: int
    gained: int | None
    lost: int | None
    p: float | None
    flips: tuple[Flip, ...]


@dataclass(frozen=True)
class PredictionSummary:
    """The last stored run of each model in fp32, and each model beside the next one of the zoo."""

    models: tuple[ModelClasses, ...]
    pairs: tuple[ModelFlips, ...]


def summarize(store: Store, models: Sequence[str]) -> PredictionSummary:
    """The summary of the last runs of these models; at most two runs are in memory at a time."""
    in_fp32 = [run for run in store.runs() if run.key.numerics.get("precision", FP32) == FP32]
    last = {run.model: run for run in in_fp32 if run.data is not None}
    classes, pairs = [], []
    before: RunPredictions | None = None
    for model in models:
        if model not in last:
            continue
        rows = tuple(stored_rows(store, last[model]))
        if rows:
            classes.append(_classes(last[model], rows))
            run = RunPredictions(model, flat_key(last[model].key), rows)
            if before and (pair := _pair(before, run)):
                pairs.append(pair)
            before = run
    return PredictionSummary(tuple(classes), tuple(pairs))


def _classes(run: StoredRun, rows: Sequence[PredictionRow]) -> ModelClasses:
    by_class: dict[str, list[PredictionRow]] = defaultdict(list)
    for row in rows:
        by_class[row.wnid].append(row)
    found = [_class(wnid, of_class) for wnid, of_class in by_class.items()]
    hard = sorted(
        (one for one in found if one.times),
        key=lambda c: (c.correct1 / c.images, -c.images, c.wnid),
    )
    return ModelClasses(run.model, run.id, len(rows), tuple(hard[:MOST_CLASSES]))


def _class(wnid: str, rows: Sequence[PredictionRow]) -> HardClass:
    wrong = Counter(row.top[0] for row in rows if not row.correct1)
    instead, times = min(wrong.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return HardClass(wnid, len(rows), len(rows) - wrong.total(), instead, times)


def _pair(first: RunPredictions, second: RunPredictions) -> ModelFlips | None:
    """The flips between two models; None where they have no image in common."""
    try:
        agreement = compare_runs(first, second)
    except DataError:
        return None
    flips = [flip for flip in agreement.flips if flip.effect in ("gained", "lost")]
    flips.sort(key=lambda flip: (-flip.margin, flip.name))
    return ModelFlips(
        first=first.title,
        second=second.title,
        images=agreement.images,
        gained=agreement.gained,
        lost=agreement.lost,
        p=agreement.p,
        flips=tuple(flips[:MOST_FLIPS]),
    )
