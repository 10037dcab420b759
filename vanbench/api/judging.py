"""Judged numbers: ``vanbench.verify`` measures them, ``vanbench.results`` reads them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from vanbench.api.frames import COUNT, NUMBER, TEXT, make_frame
from vanbench.environment import Environment
from vanbench.errors import VanbenchError
from vanbench.intervals import wilson_interval
from vanbench.progress import Progress, silent
from vanbench.report.answer import Answer, answer, named_figures
from vanbench.report.other_precisions import other_accuracies
from vanbench.report.other_sets import other_set_accuracies
from vanbench.report.row_json import as_json
from vanbench.report.rows import Figure, ModelRow, rows_on_record
from vanbench.typed_json import Json, to_json

if TYPE_CHECKING:
    import pandas

    from vanbench.evaluation.result import ValidationResult
    from vanbench.inference.rewrite_config import RewriteConfig

COLUMNS = ("model", "file", ">params, M", ">FLOPs, G", ">Top-1, %", ">Top-5, %", "verdict")

_UNITS = {"params": "params_m", "flops": "flops_g", "top1": "top1_percent", "top5": "top5_percent"}


@dataclass(frozen=True, repr=False)
class Results(Displayed):
    """The published numbers of a zoo's models, judged by what is on record.

    ``rows`` has one ``ModelRow`` for each model: ``row.verdict`` and, for each of ``params``,
    ``flops``, ``top1`` and ``top5``, a figure with ``measured``, ``reported``, ``delta`` (fractions
    in M, G or percent), ``verdict`` and ``reason``. ``row.other_sets`` has ``top1`` and ``top5``
    over other test sets, by key.
    """

    zoo: str
    rows: tuple[ModelRow, ...]

    @property
    def answer(self) -> Answer:
        """What was found: ``headline``, ``tally``, ``discoveries``, ``reasons``."""
        return answer(self.rows)

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name, with units in the columns' names: see ``FRAME``."""
        return make_frame(map(frame_row, self.rows), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench table --json``."""
        models = [as_json(row) for row in self.rows]
        return document(zoo=self.zoo, models=models)

    def view(self) -> View:
        """The answer, a table, and what was found."""
        return judged_view(self.rows)


@dataclass(frozen=True, repr=False)
class Verification(Displayed):
    """What ``vanbench.verify`` found.

    ``rows`` has one ``ModelRow`` for each model, as in ``Results``. ``ok`` says whether everything
    asked for was measured and nothing deviates. ``errors`` has why a model has no sound file, no
    counts or no record, by name; nothing is raised for these. ``paths`` are the files on this
    machine, ``passes`` the runs over the images.
    """

    rows: tuple[ModelRow, ...]
    ok: bool
    errors: Mapping[str, VanbenchError]
    paths: Mapping[str, Path]
    passes: "Sequence[ValidationResult]"
    environment: Environment

    @property
    def answer(self) -> Answer:
        """What was found: ``headline``, ``tally``, ``discoveries``, ``reasons``."""
        return answer(self.rows)

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name, with units in the columns' names: see ``FRAME``."""
        return make_frame(map(frame_row, self.rows), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench verify --json``."""
        return document(
            ok=self.ok,
            models=[
                as_json(row, self.paths.get(row.entry.name), self.errors.get(row.entry.name))
                for row in self.rows
            ],
            environment=to_json(self.environment),
            data=next((result.data_json() for result in self.passes), None),
        )

    def view(self) -> View:
        """The answer, a table, and what was found."""
        return judged_view(self.rows)


def verify(
    models: Models,
    *,
    zoo: AnyPath = "openmmlab",
    data: AnyPath | None = None,
    precision: str = "fp32",
    calibration: AnyPath | None = None,
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
) -> Verification:
    """Check every published number of the models: file hash, parameters, FLOPs, Top-1, Top-5.

    What was measured in full is recorded under ``results``, as ``vanbench verify`` does.

    Args:
        models: A name (``"van_b0"``), a pattern (``"van_b*"``), a list of these, or ``"all"``.
        zoo: The name of a shipped zoo (``openmmlab``, ``demo``) or the path of a TOML file.
        data: The validation set: class folders, a flat folder with a list, tar, Parquet or
            WebDataset. Without it, and with no set beside the zoo, accuracies are not measured.
        precision: ``fp32``, ``tf32``, ``fp16``, ``bf16`` or ``int8``. In another one than fp32
            accuracies are recorded beside those in fp32, and compared with them, but not judged.
        calibration: A folder or a tar with the images that int8 is calibrated on. Images of the
            validation set are left out. The default is 128 images of the validation set itself.
        cache: The folder of the checkpoint files. The default is the one of ``torch.hub``.
        results: The folder of the records and of the stored predictions.
        mirrors: Base URLs or folders with files of the same names, which are tried first.
        offline: Use no network, only the cache and folders.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``: a CUDA GPU if there is one.
        batch_size: Images per batch. The default suits the device: 256, 64 or 32.
        workers: Decoding processes, 0 for none. The default suits the machine. With processes, a
            script's own code must be under ``if __name__ == "__main__":``.
        limit: Only so many images, spread evenly over the set; the result is partial, and nothing
            is recorded.
        on_error: ``stop`` or ``count-wrong``: what an image that cannot be read does.
        weights: ``plain`` or ``ema`` (averaged) weights of a training checkpoint. The default is
            what the framework that wrote the file loads for inference.
        runtime: What computes: ``reference`` (the plain model), ``optimized`` (its exact rewrite),
            ``compiled`` (that one compiled, which takes minutes), ``onnxruntime``, ``openvino``.
            The default is ``auto``: the fastest of those installed that agrees with the reference.
        reference: The same as ``runtime="reference"``.
        compile: The same as ``runtime="compiled"``.
        rewrite: Which variant of the rewrite runs. The default is found by a short trial.
        cache_images: A folder in which decoded images are kept, 7.5 GB for 50,000; later runs read
            them from there. The default is to keep none.
        fresh: Compute every prediction again, also those that are stored.
        progress: Shows how far the work is; see docs/api.md.

    Returns:
        A Verification. What happens to one model is in its row and in ``errors``, and the others
        are done.

    Raises:
        UnknownModelError, ZooError, DataError, DeviceError, ValueError, TypeError: An argument is
            wrong.

    >>> found = vanbench.verify("all", zoo="demo", workers=0)
    >>> found.answer.headline
    'REPRODUCED'
    """
    from vanbench.verification import verify as verify_entries

    the_zoo = open_zoo(zoo)
    entries = selected(the_zoo, models)
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
    found = verify_entries(
        the_zoo,
        entries,
        origin,
        Path(results),
        data_set(the_zoo, data),
        options,
        progress,
    )
    return Verification(
        rows=tuple(found.rows),
        ok=found.exit_code == 0,
        errors=found.failures,
        paths=found.paths,
        passes=tuple(found.passes),
        environment=found.environment,
    )


def results(zoo: AnyPath = "openmmlab", results: AnyPath = "results") -> Results:
    """The published numbers of a zoo's models, judged by the records under ``results``.

    Nothing is measured, and torch is not imported: this is what ``vanbench table`` shows.

    Args:
        zoo: The name of a shipped zoo (``openmmlab``, ``demo``) or the path of a TOML file.
        results: The folder of the records, which ``verify`` writes.

    Returns:
        A Results object with a row for every model, also for those that were never measured.

    Raises:
        ZooError: There is no such zoo, or its file is malformed.
        RecordError: A record cannot be read, or contradicts itself.

    >>> vanbench.results().answer.tally.numbers
    26
    """
    the_zoo = open_zoo(zoo)
    return Results(the_zoo.name, tuple(rows_on_record(the_zoo, Path(results))))


def _figure_types(unit: str, number: str, *, interval: bool) -> Iterator[tuple[str, str]]:
    yield from ((unit, NUMBER), (f"{unit}_reported", NUMBER), (f"{unit}_delta", NUMBER))
    if interval:
        yield from ((f"{unit}_ci95_low", NUMBER), (f"{unit}_ci95_high", NUMBER))
    yield from ((f"{number}_verdict", TEXT), (f"{number}_reason", TEXT))


FRAME: dict[str, str] = {
    "verdict": TEXT,
    "file": TEXT,
    "sha256": TEXT,
    **dict(
        pair
        for number, unit in _UNITS.items()
        for pair in _figure_types(unit, number, interval=number in ("top1", "top5"))
    ),
    "flops_g_fvcore": NUMBER,
    "counts_source": TEXT,
    "images": COUNT,
}
"""The columns of ``to_frame()`` and their types; the index is the model's name.

``params_m`` and ``flops_g`` are measured, in millions and billions, ``top1_percent`` and
``top5_percent`` in percent, with Wilson's 95 % interval; ``…_reported`` is the published number,
``…_delta`` measured minus reported. ``counts_source`` is ``checkpoint`` where the network was built
from the file's tensors, else ``architecture``. ``images`` is over how many the accuracy is.
"""


def frame_row(row: ModelRow) -> dict[str, Any]:
    """The values of FRAME for one model."""
    checkpoint, counts, accuracy = row.record.checkpoint, row.record.counts, row.record.accuracy
    values: dict[str, Any] = {
        "model": row.entry.name,
        "verdict": row.verdict,
        "file": row.file_status,
        "sha256": checkpoint.sha256 if checkpoint else None,
        "flops_g_fvcore": counts.flops["fvcore"] / 1e9 if counts else None,
        "counts_source": counts.source if counts else None,
        "images": accuracy.images if accuracy else None,
    }
    for number, figure in named_figures(row).items():
        unit = _UNITS[number]
        values[unit] = _float(figure.measured)
        values[f"{unit}_reported"] = _float(figure.reported.value if figure.reported else None)
        values[f"{unit}_delta"] = _float(figure.delta)
        values[f"{number}_verdict"] = figure.verdict
        values[f"{number}_reason"] = figure.reason
    if accuracy:
        for number, correct in (("top1", accuracy.correct1), ("top5", accuracy.correct5)):
            low, high = wilson_interval(correct, accuracy.images)
            values[f"{_UNITS[number]}_ci95_low"] = low
            values[f"{_UNITS[number]}_ci95_high"] = high
    return values


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def judged_view(rows: Sequence[ModelRow]) -> View:
    """The answer, a table with a verdict for each number, and the findings."""
    found = answer(rows)
    findings = [*found.discoveries, *found.reasons]
    others = [f"{other}." for row in rows for other in other_accuracies(row)]
    others += [f"{one}." for row in rows for one in other_set_accuracies(row)]
    return View(
        title=found.headline,
        sentence=f"{found.sentence}.",
        columns=COLUMNS,
        rows=[_cells(row) for row in rows],
        notes=[*(_note(one.text, one.models, len(rows)) for one in findings), *others],
    )


def _cells(row: ModelRow) -> list[str | Cell]:
    figures = [_figure_cell(figure) for figure in row.figures]
    return [row.entry.name, row.file_status, *figures, Cell(row.verdict, row.verdict)]


def _figure_cell(figure: Figure) -> Cell:
    reported = figure.reported
    if reported is None:
        return Cell("–")
    small = f"{figure.verdict}, reported {reported}"
    if figure.measured is None:
        return Cell("–", figure.verdict, small)
    return Cell(f"{float(figure.measured):.{reported.decimals + 1}f}", figure.verdict, small)


def _note(text: str, models: Sequence[str], total: int) -> str:
    """A finding with its models, where the text does not name one and it is not about all."""
    if len(models) == total or (len(models) == 1 and models[0] in text):
        return f"{text}."
    return f"{', '.join(models)}: {text}."
