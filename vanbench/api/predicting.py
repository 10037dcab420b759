"""``vanbench.predictions``: the stored runs, the predictions of one, and two compared."""

from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from vanbench.api.arguments import AnyPath
from vanbench.api.display import Cell, Displayed, View, shortened
from vanbench.api.document import document
from vanbench.api.frames import COUNT, NUMBER, TEXT, make_frame
from vanbench.prediction_store.compare import (
    Agreement,
    RunPredictions,
    compare_runs,
    load_run,
    shorten,
)
from vanbench.prediction_store.export import to_frame
from vanbench.prediction_store.prediction import Tally
from vanbench.prediction_store.rows import PredictionRow, run_json, stored_tally
from vanbench.prediction_store.store import FILE, Store, StoredRun
from vanbench.progress import counted
from vanbench.typed_json import Json

if TYPE_CHECKING:
    import pandas


RUNS = {
    "model": TEXT,
    "checkpoint_sha256": TEXT,
    "images": COUNT,
    "correct1": COUNT,
    "correct5": COUNT,
    "top1_percent": NUMBER,
    "top5_percent": NUMBER,
    "precision": TEXT,
    "device": TEXT,
    "torch": TEXT,
    "started": TEXT,
}
"""The columns of ``Runs.to_frame()`` and their types; the index is the run's number."""

FLIPS = {"class": TEXT, "before": TEXT, "after": TEXT, "effect": TEXT, "margin": NUMBER}
"""The columns of ``Comparison.to_frame()`` and their types; the index is the image's name.

``before`` and ``after`` are the first choices of the runs. ``effect`` is ``gained``, ``lost`` or
``neither`` right; ``margin`` is by how much the first run's logit was above its next one's.
"""


@dataclass(frozen=True, repr=False)
class Runs(Displayed):
    """The stored runs, oldest first, each with its counts.

    A run is one checkpoint under one protocol with the same numerics.
    """

    runs: tuple[tuple[StoredRun, Tally], ...]

    def to_frame(self) -> "pandas.DataFrame":
        """One row per run, by number: see ``RUNS``."""
        rows = (_run_row(run, tally) for run, tally in self.runs)
        return make_frame(rows, RUNS, "run", COUNT)

    def to_json(self) -> Json:
        """The document of ``vanbench predictions --json``."""
        runs = [run_json(run, tally) for run, tally in self.runs]
        return document(models=[], runs=runs)

    def view(self) -> View:
        """A table."""
        return View(
            title="Stored predictions",
            sentence=f"{counted(len(self.runs), 'run')}.",
            columns=(">run", "model", "sha256", ">images", ">Top-1, %", "precision", "device",
                     "torch", "started"),
            rows=[_run_cells(run, tally) for run, tally in self.runs],
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Predictions(Displayed):
    """What one run predicted, image by image; ``rows`` has one ``PredictionRow`` for each."""

    run: RunPredictions

    @property
    def rows(self) -> tuple[PredictionRow, ...]:
        """``name``, ``sha256``, ``wnid`` (the right class), ``top`` and ``logits`` of each."""
        return tuple(self.run.rows)

    def to_frame(self) -> "pandas.DataFrame":
        """One row per image: what ``vanbench predictions RUN --write FILE`` writes."""
        return to_frame(self.run.rows)

    def compare(self, other: "Predictions") -> "Comparison":
        """How another run differs from this one; DataError if they share no image.

        Images are matched by the SHA-256 of their files.
        """
        return Comparison((self.run.title, other.run.title), compare_runs(self.run, other.run))

    def view(self) -> View:
        """The first images."""
        rows = self.run.rows
        right = sum(row.correct1 for row in rows)
        share = f", {right:,} right ({100 * right / len(rows):.2f} %)" if rows else ""
        shown, note = shortened([_prediction_cells(row) for row in rows])
        return View(
            title=f"Predictions of {self.run.title}",
            sentence=f"{len(rows):,} images{share}.",
            columns=("image", "class", "first choice", ">logit", ""),
            rows=shown,
            notes=[note] if note else [],
        )


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """Two runs over the images that both have.

    ``agreement`` has the counts, ``flips`` (the images whose first choice differs), ``gained``,
    ``lost``, ``p`` (McNemar's exact test) and ``changed`` (what differs between the runs).
    """

    titles: tuple[str, str]
    agreement: Agreement

    def to_frame(self) -> "pandas.DataFrame":
        """One row per image whose first choice differs, by name: see ``FLIPS``."""
        rows = ({**vars(f), "image": f.name, "class": f.wnid} for f in self.agreement.flips)
        return make_frame(rows, FLIPS, "image")

    def to_json(self) -> Json:
        """The document of ``vanbench compare --json``."""
        return document(models=[], comparison=self.agreement.as_dict())

    def view(self) -> View:
        """Who is right how often, what changed, and the first images that flipped."""
        a = self.agreement
        shown, note = shortened(
            [[f.name, f.wnid, f.before, f.after, f.effect or "labels differ"] for f in a.flips]
        )
        changed = [
            f"{name}: {shorten(before)} → {shorten(after)}."
            for name, (before, after) in (a.changed or {}).items()
        ]
        return View(
            title=" → ".join(self.titles),
            sentence=f"same first choice for {a.same_top1:,} of {a.images:,} images{_effects(a)}.",
            columns=("image", "class", "before", "after", "effect"),
            rows=shown,
            notes=[*([note] if note else []), *changed],
        )


@overload
def predictions(run: None = None, results: AnyPath = "results") -> Runs: ...
@overload
def predictions(run: int | AnyPath, results: AnyPath = "results") -> Predictions: ...
def predictions(
    run: int | AnyPath | None = None, results: AnyPath = "results"
) -> Runs | Predictions:
    """The stored runs; or the predictions of one run, image by image.

    ``validate`` and ``verify`` store every prediction.

    Args:
        run: The number of a run, a model's name for its last run, or a CSV file that ``vanbench
            predictions --write`` wrote. None lists the runs.
        results: The folder of the stored predictions.

    Returns:
        Runs, or Predictions with ``to_frame()`` and ``compare(other)``.

    Raises:
        UnknownRunError: No such run is stored; the error lists the stored ones.
        RecordError: There are no stored predictions, or they are damaged.
        DataError: The file holds no predictions.

    >>> first = vanbench.predictions("van_nano.digits")
    >>> first.compare(vanbench.predictions("van_micro.digits")).agreement.p
    0.125
    """
    store_path = Path(results) / FILE
    if run is not None:
        return Predictions(load_run(store_path, str(run) if isinstance(run, int) else fspath(run)))
    with Store(store_path, create=False) as store:
        return Runs(tuple((stored, stored_tally(store, stored)) for stored in store.runs()))


def _run_row(run: StoredRun, tally: Tally) -> dict[str, Any]:
    document = run_json(run, tally)
    numerics = run.key.numerics
    return {
        "run": run.id,
        "model": run.model,
        "checkpoint_sha256": run.key.checkpoint,
        "images": run.images,
        "correct1": document["correct1"],
        "correct5": document["correct5"],
        "top1_percent": document["top1"],
        "top5_percent": document["top5"],
        "started": run.started,
        **{name: numerics.get(name) for name in ("precision", "device", "torch")},
    }


def _run_cells(run: StoredRun, tally: Tally) -> list[str]:
    numerics = run.key.numerics
    return [
        str(run.id),
        run.model,
        run.key.checkpoint[:8],
        f"{run.images:,}",
        f"{tally.top1:.3f}" if tally.images else "",
        *(str(numerics.get(name, "")) for name in ("precision", "device", "torch")),
        run.started,
    ]


def _prediction_cells(row: PredictionRow) -> list[str | Cell]:
    right = "right" if row.correct1 else "among the five" if row.correct5 else "wrong"
    first = row.top[0] if row.top else ""
    logit = f"{row.logits[0]:.3f}" if row.logits else ""
    return [row.name, row.wnid, first, logit, right]


def _effects(a: Agreement) -> str:
    if a.correct is None:
        return ", with other labels"
    before, after = a.correct
    return (
        f"; {before:,} → {after:,} right, {a.gained:,} gained and {a.lost:,} lost "
        f"(McNemar's exact p = {a.p:.3g})"
    )
