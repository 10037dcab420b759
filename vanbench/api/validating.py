"""``vanbench.validate``: Top-1 and Top-5 on a validation set."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vanbench.api.arguments import (
    AnyPath,
    Models,
    chosen_runtime,
    data_set,
    open_zoo,
    run_options,
    selected,
    sources,
)
from vanbench.api.display import Cell, Displayed, View
from vanbench.api.document import document
from vanbench.api.frames import COUNT, NUMBER, TEXT, TRUTH, make_frame
from vanbench.progress import Progress, counted, silent
from vanbench.report.verdicts import NOT_MEASURED, PARTIAL
from vanbench.typed_json import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas

    from vanbench.errors import VanbenchError
    from vanbench.evaluation.models import Validated
    from vanbench.evaluation.result import ValidationResult
    from vanbench.inference.rewrite_config import RewriteConfig
    from vanbench.prediction_store.prediction import Tally

COLUMNS = ("model", ">images", ">Top-1, %", ">95 % interval", ">Top-5, %", ">correct", ">in top 5")

FRAME = {
    "status": TEXT,
    "reason": TEXT,
    "images": COUNT,
    "correct1": COUNT,
    "correct5": COUNT,
    "top1_percent": NUMBER,
    "top1_percent_ci95_low": NUMBER,
    "top1_percent_ci95_high": NUMBER,
    "top5_percent": NUMBER,
    "top5_percent_ci95_low": NUMBER,
    "top5_percent_ci95_high": NUMBER,
    "images_per_s": NUMBER,
    "partial": TRUTH,
    "weights": TEXT,
}
"""The columns of ``to_frame()`` and their types; the index is the model's name.

``status`` is ``measured``, or what happened to a model that was not; then ``reason`` says why.
``correct1`` and ``correct5`` of ``images`` are right; the intervals are Wilson's. ``partial``: not
all images were used, or the set is not the official one.
"""


@dataclass(frozen=True, repr=False)
class Validation(Displayed):
    """What ``vanbench.validate`` found.

    ``tallies`` has the counts of each model by name: ``images``, ``correct1``, ``correct5``,
    ``top1`` and ``top5``. ``passes`` has, by model, the ``ValidationResult`` of the pass over the
    images that the model took part in: ``tallies``, ``protocol``, ``data``, ``numerics``,
    ``environment``. ``errors`` has why the others took part in none; nothing is raised for these.
    """

    validated: "Validated"

    @property
    def passes(self) -> "Mapping[str, ValidationResult]":
        """The pass of each model by name."""
        return self.validated.passes

    @property
    def tallies(self) -> "Mapping[str, Tally]":
        """The counts of each model by name."""
        return {name: result.tallies[name] for name, result in self.passes.items()}

    @property
    def errors(self) -> "Mapping[str, VanbenchError]":
        """Why a model was not measured, by name."""
        return self.validated.errors

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name: see ``FRAME``."""
        return make_frame(map(_frame_row, self.validated.models_json()), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench validate --json``."""
        models = self.validated.models_json()
        return document(models=models, data=self.validated.data_json())

    def view(self) -> View:
        """A table, the set and its protocol, and what failed."""
        documents = self.validated.models_json()
        measured = sum(document["images"] is not None for document in documents)
        notes = [
            line
            for result in self.validated.distinct_passes
            for line in result.describe().splitlines()
        ]
        return View(
            title="Validated",
            sentence=f"{measured} of {counted(len(documents), 'model')}.",
            columns=COLUMNS,
            rows=[_cells(document) for document in documents],
            notes=[*notes, *(f"{name}: {error}" for name, error in self.errors.items())],
        )


def validate(
    models: Models | None = None,
    *,
    checkpoint: AnyPath | None = None,
    data: AnyPath | None = None,
    precision: str = "fp32",
    calibration: AnyPath | None = None,
    zoo: AnyPath = "openmmlab",
    cache: AnyPath | None = None,
    results: AnyPath = "results",
    mirrors: str | Iterable[str] = (),
    offline: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    limit: int | None = None,
    on_error: str = "stop",
    weights: str | None = None,
    runtime: str | None = None,
    reference: bool = False,
    compile: bool = False,
    rewrite: "RewriteConfig | None" = None,
    cache_images: AnyPath | None = None,
    fresh: bool = False,
    progress: Progress = silent,
) -> Validation:
    """Measure Top-1 and Top-5 of models of a zoo, or of a checkpoint file, on a validation set.

    Each image is decoded once for all models that share a protocol. Every prediction is kept in
    ``results``, so that the same call resumes an interrupted one. No record is written; ``verify``
    does that.

    Args:
        models: A name (``"van_b0"``), a pattern (``"van_b*"``), a list of these, or ``"all"``.
        checkpoint: A file of your own in place of models; its architecture is read from its
            tensors, and the protocol is that of the zoo's first model.
        data: The validation set: class folders, a flat folder with a list, tar, Parquet or
            WebDataset. The default is the set beside the zoo, if there is one.
        precision: ``fp32``, ``tf32``, ``fp16``, ``bf16`` or ``int8``; only fp32 counts as
            reproduction.

    The other arguments are those of ``verify``.

    Returns:
        A Validation. A model that fails is in its ``errors``, and the others are done.

    Raises:
        UnknownModelError, ZooError, DataError, DeviceError, ValueError, TypeError: An argument is
            wrong.

    >>> found = vanbench.validate("van_nano", zoo="demo", workers=0)
    >>> found.tallies["van_nano.digits"]
    Tally(images=360, correct1=345, correct5=359)
    """
    from vanbench.devices import choose_device
    from vanbench.evaluation.models import validate_entries, validate_file

    if (models is None) == (checkpoint is None):
        raise ValueError("expected models or a checkpoint, and not both")
    the_zoo = open_zoo(zoo)
    images = data_set(the_zoo, data)
    if images is None:
        raise ValueError(f"data: expected a validation set; the zoo {the_zoo.name!r} has none")
    choose_device(device)
    origin = sources(cache, mirrors, offline)
    options = run_options(
        results,
        device=device,
        precision=precision,
        calibration=calibration,
        batch_size=batch_size,
        workers=workers,
        limit=limit,
        on_error=on_error,
        weights=weights,
        runtime=chosen_runtime(runtime, rewrite, reference=reference, compile=compile),
        rewrite=rewrite,
        cache_images=cache_images,
        fresh=fresh,
    )
    if checkpoint is not None:
        protocol = the_zoo.entries[0].protocol
        found = validate_file(Path(checkpoint), protocol, images, options, progress)
    else:
        assert models is not None
        entries = selected(the_zoo, models)
        found = validate_entries(the_zoo, entries, origin, Path(results), images, options, progress)
    return Validation(found)


def _frame_row(document: "Mapping[str, Any]") -> dict[str, Any]:
    row = {name: document[name] for name in FRAME if name in document}
    row |= {"model": document["name"]}
    for number, interval in (("top1", "ci95"), ("top5", "ci95_top5")):
        row[f"{number}_percent"] = document[number]
        low, high = document[interval] or (None, None)
        row |= {f"{number}_percent_ci95_low": low, f"{number}_percent_ci95_high": high}
    return row


def _cells(document: "Mapping[str, Any]") -> list[str | Cell]:
    if document["images"] is None:
        return [document["name"], "", Cell(document["status"], NOT_MEASURED), "", "", "", ""]
    low, high = document["ci95"]
    verdict = PARTIAL if document["partial"] else ""
    return [
        document["name"],
        f"{document['images']:,}",
        Cell(f"{document['top1']:.3f}", verdict, verdict),
        f"{low:.2f} – {high:.2f}",
        f"{document['top5']:.3f}",
        f"{document['correct1']:,}",
        f"{document['correct5']:,}",
    ]
