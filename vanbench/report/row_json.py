"""The JSON form of a row, in ``verify --json`` and ``table --json``."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from typing_extensions import TypedDict

from vanbench.errors import ErrorJson, VanbenchError, error_json
from vanbench.intervals import wilson_interval
from vanbench.model.torchvision_architecture import AnyArchitectureDict
from vanbench.report.coverage import why_partial
from vanbench.report.other_precisions import OtherAccuracy, other_accuracies
from vanbench.report.records import Accuracy, Calibration, Counts, DifferenceFromFp32
from vanbench.report.rows import Figure, ModelRow, OverSet
from vanbench.typed_json import to_json
from vanbench.zoo.other_sets import title_of


class CheckpointJson(TypedDict):
    """The checkpoint file of a model."""

    url: str | None
    """Where the zoo says that the file is, without user info and query; null if there is none."""
    path: str | None
    """The file on this machine; null where it is not there, and in ``table``."""
    bytes: int | None
    """Its size in bytes; null where it is not there."""
    sha256: str | None
    """Its SHA-256 in hex digits; null where it is not there."""
    status: str
    """``verified``, ``unverifiable`` (no published hash), ``mismatch``, ``unreachable``,
    ``missing``, ``unreadable``, ``not measured`` if it was never looked for, or ``no file`` if the
    claim has none."""
    reason: str | None
    """Why there is no sound file; null if there is one."""
    format: str | None
    """The naming of its tensors: ``openmmlab``, ``official``, ``huggingface``, or ``torchvision``
    for a model of torchvision."""
    weights: str | None
    """Which weights were read, ``plain`` or ``ema``; null where none were."""


class ParamsJson(TypedDict):
    """The parameters of a model, in M."""

    measured: float | None
    """The count in M; null where nothing was counted."""
    reported: float | None
    """The published number in M; null if there is none."""
    reported_text: str | None
    """The published number as it was printed."""
    delta: float | None
    """Measured minus reported, in M."""
    verdict: str
    """``reproduced``, ``erratum``, ``deviates``, ``not measured`` or ``not reported``."""
    reason: str | None
    """Why it was not measured; null if it was."""
    source: str | None
    """``checkpoint`` if the network was built from the file's tensors, ``architecture`` if the
    declared one was counted; null where nothing was counted."""


class FlopsJson(TypedDict):
    """The FLOPs of a model, in G, for one image."""

    measured: float | None
    """The count in G under the convention of the zoo entry; null where nothing was counted."""
    reported: float | None
    """The published number in G; null if there is none."""
    reported_text: str | None
    """The published number as it was printed."""
    delta: float | None
    """Measured minus reported, in G."""
    verdict: str
    """``reproduced``, ``erratum``, ``deviates``, ``not measured`` or ``not reported``."""
    reason: str | None
    """Why it was not measured; null if it was."""
    source: str | None
    """As for the parameters."""
    fvcore: int | None
    """The FLOPs under fvcore's convention."""
    openmmlab: int | None
    """The FLOPs under OpenMMLab's convention; null for a model of torchvision."""
    torchvision: int | None
    """The FLOPs under torchvision's convention; null for a VAN."""


class AccuracyJson(TypedDict):
    """Top-1 or Top-5 of a model, in percent."""

    measured: float | None
    """The accuracy in percent; null where nothing was measured."""
    reported: float | None
    """The published number in percent; null if there is none."""
    reported_text: str | None
    """The published number as it was printed."""
    delta: float | None
    """Measured minus reported, in percentage points."""
    verdict: str
    """``reproduced``, ``close``, ``erratum``, ``deviates``, ``partial``, ``not measured`` or
    ``not reported``."""
    reason: str | None
    """Why it was not measured or is partial, or what may explain that it deviates."""
    correct: int | None
    """How many images were predicted right."""
    images: int | None
    """Of how many images."""
    ci95: list[float] | None
    """The 95 % Wilson interval of the accuracy, in percent."""


class DifferenceJson(TypedDict):
    """How the first choices differ from those in fp32, over the same images."""

    images: int
    """Over how many images."""
    different: int
    """On how many of them the first choices differ."""
    only_fp32_right: int
    """How many first choices are right in fp32 alone."""
    only_this_right: int
    """How many are right in this precision alone."""
    p_value: float
    """The p-value of McNemar's exact test for these two numbers."""
    also_differs: list[str]
    """What else differs between the two runs, such as ``device``; empty if nothing does."""
    fp32_runtime: str | None
    """What computed in fp32; null in old records."""


class CalibrationJson(TypedDict):
    """The images that int8 was calibrated on."""

    source: str
    """``validation set``, or ``other images``, none of which is in the validation set."""
    images: int
    """How many."""
    sha256: str
    """The hash of the list of their hashes, a line each."""
    tool: str
    """What quantised the model."""
    in_validation_set: int
    """How many others were left out because they are in the validation set."""
    unreadable: int
    """How many could not be read."""


class OtherAccuracyJson(TypedDict):
    """The accuracy of a model in another precision than fp32; no claim is judged by it."""

    images: int
    """Over how many images."""
    correct1: int
    """How many first choices are right."""
    correct5: int
    """How often one of the first five is right."""
    top1: float
    """Top-1 in percent."""
    top5: float
    """Top-5 in percent."""
    ci95: list[float]
    """The 95 % Wilson interval of Top-1, in percent."""
    ci95_top5: list[float]
    """That of Top-5."""
    top1_minus_fp32: float | None
    """Top-1 minus that in fp32, in percentage points; null where it is not known."""
    partial: str | None
    """Why it is not over the images that the claim is about; null if it is."""
    date: str
    """When it was measured."""
    device: str
    """Where it was computed: the GPU, else the processor."""
    runtime: str
    """What computed it."""
    images_per_s: float | None
    """The speed of the model in one process, without decoding; null where it is not known."""
    fp32_images_per_s: float | None
    """The speed in fp32 that was on record of the same machine; null if none was."""
    calibration: CalibrationJson | None
    """The images that int8 was calibrated on; null for another precision."""
    differs_from_fp32: DifferenceJson | None
    """The comparison image by image; null where no fp32 predictions were stored."""


class OtherSetJson(TypedDict):
    """The accuracies of a model over another test set, beside what is claimed of them."""

    title: str
    """What the set is called."""
    top1: AccuracyJson
    """Top-1 over this set."""
    top5: AccuracyJson
    """Top-5 over this set."""
    partial: str | None
    """Why it is not over all images of the set; null if it is, and where nothing was measured."""
    date: str | None
    """When it was measured; null where it was not."""
    device: str | None
    """Where it was computed: the GPU, else the processor; null where nothing was measured."""


class RowJson(TypedDict):
    """One model: what is on record or was found, with a verdict for each published number."""

    name: str
    """The model, ARCH.TAG."""
    checkpoint: CheckpointJson
    """The checkpoint file."""
    architecture: AnyArchitectureDict | None
    """The architecture as read from the file's tensors; null where it was not read."""
    params: ParamsJson
    """The parameters."""
    flops: FlopsJson
    """The FLOPs."""
    top1: AccuracyJson
    """Top-1."""
    top5: AccuracyJson
    """Top-5."""
    other_precisions: Mapping[str, OtherAccuracyJson]
    """The accuracies in other precisions than fp32, by its name; empty if there are none."""
    other_sets: Mapping[str, OtherSetJson]
    """The accuracies over other test sets that were measured or claimed, by key, such as
    ``imagenet_a``; empty if there are none."""
    verdict: str
    """The worst verdict of the model's numbers; at best ``not measured`` if its file is missing."""
    erratum: str | None
    """What is known of a misprint in the published numbers; null if nothing is."""
    error: ErrorJson | None
    """What failed for this model in this command; null if nothing did."""


def as_json(row: ModelRow, path: Path | None = None, error: VanbenchError | None = None) -> RowJson:
    """The row in the form of ``verify --json``.

    ``path`` is the file on this machine, ``error`` what failed for the model.
    """
    counts, accuracy = row.record.counts, row.record.accuracy
    checkpoint = row.record.checkpoint
    architecture = checkpoint.architecture if checkpoint else None
    return {
        "name": row.entry.name,
        "checkpoint": _checkpoint_json(row, path),
        "architecture": architecture.as_dict() if architecture else None,
        "params": _params_json(row.params, counts),
        "flops": _flops_json(row.flops, counts),
        "top1": _accuracy_json(row.top1, accuracy, accuracy.correct1 if accuracy else None),
        "top5": _accuracy_json(row.top5, accuracy, accuracy.correct5 if accuracy else None),
        "other_precisions": {one.precision: _other_json(one) for one in other_accuracies(row)},
        "other_sets": {key: _set_json(row, key, one) for key, one in row.other_sets.items()},
        "verdict": row.verdict,
        "erratum": row.entry.erratum.reason if row.entry.erratum else None,
        "error": error_json(error) if error else None,
    }


def _checkpoint_json(row: ModelRow, path: Path | None) -> CheckpointJson:
    checkpoint = row.record.checkpoint
    return {
        "url": (checkpoint.url if checkpoint else row.entry.public_url) or None,
        "path": str(path) if path else None,
        "bytes": checkpoint.bytes if checkpoint else None,
        "sha256": checkpoint.sha256 if checkpoint else None,
        "status": row.file_status,
        "reason": checkpoint.reason if checkpoint else row.entry.no_file,
        "format": checkpoint.format if checkpoint else None,
        "weights": checkpoint.weights if checkpoint else None,
    }


class _FigureJson(TypedDict):
    """The keys that every number has; the types above document them with the number's unit."""

    measured: float | None
    reported: float | None
    reported_text: str | None
    delta: float | None
    verdict: str
    reason: str | None


def _figure_json(figure: Figure) -> _FigureJson:
    return {
        "measured": None if figure.measured is None else float(figure.measured),
        "reported": None if figure.reported is None else float(figure.reported.value),
        "reported_text": None if figure.reported is None else figure.reported.text,
        "delta": None if figure.delta is None else float(figure.delta),
        "verdict": figure.verdict,
        "reason": figure.reason,
    }


def _params_json(figure: Figure, counts: Counts | None) -> ParamsJson:
    return {**_figure_json(figure), "source": counts.source if counts else None}


def _flops_json(figure: Figure, counts: Counts | None) -> FlopsJson:
    return {
        **_params_json(figure, counts),
        "fvcore": counts.flops["fvcore"] if counts else None,
        "openmmlab": counts.flops.get("openmmlab") if counts else None,
        "torchvision": counts.flops.get("torchvision") if counts else None,
    }


def _accuracy_json(figure: Figure, accuracy: Accuracy | None, correct: int | None) -> AccuracyJson:
    interval = None
    if accuracy is not None and correct is not None:
        interval = list(wilson_interval(correct, accuracy.images))
    return {
        **_figure_json(figure),
        "correct": correct,
        "images": accuracy.images if accuracy else None,
        "ci95": interval,
    }


def _set_json(row: ModelRow, key: str, one: OverSet) -> OtherSetJson:
    accuracy = one.accuracy
    about = accuracy.environment if accuracy else None
    return {
        "title": title_of(key),
        "top1": _accuracy_json(one.top1, accuracy, accuracy.correct1 if accuracy else None),
        "top5": _accuracy_json(one.top5, accuracy, accuracy.correct5 if accuracy else None),
        "partial": why_partial(row.entry, accuracy) if accuracy else None,
        "date": accuracy.date if accuracy else None,
        "device": (about.gpu or about.cpu) if about else None,
    }


def _other_json(other: OtherAccuracy) -> OtherAccuracyJson:
    accuracy, about = other.accuracy, other.accuracy.environment
    n, found = accuracy.images, accuracy.differs_from_fp32
    return {
        "images": n,
        "correct1": accuracy.correct1,
        "correct5": accuracy.correct5,
        "top1": other.top1,
        "top5": other.top5,
        "ci95": list(wilson_interval(accuracy.correct1, n)),
        "ci95_top5": list(wilson_interval(accuracy.correct5, n)),
        "top1_minus_fp32": None if other.delta1 is None else float(other.delta1),
        "partial": other.partial,
        "date": accuracy.date,
        "device": about.gpu or about.cpu,
        "runtime": accuracy.numerics.runtime,
        "images_per_s": accuracy.forward.images_per_s if accuracy.forward else None,
        "fp32_images_per_s": accuracy.fp32_speed.images_per_s if accuracy.fp32_speed else None,
        "calibration": calibration_json(accuracy.numerics.calibration),
        "differs_from_fp32": None if found is None else difference_json(found),
    }


def calibration_json(found: Calibration | None) -> CalibrationJson | None:
    """The images that int8 was calibrated on, if it was int8."""
    return None if found is None else cast(CalibrationJson, to_json(found))


def difference_json(found: DifferenceFromFp32) -> DifferenceJson:
    """How the first choices differ from those in fp32."""
    return {
        "images": found.images,
        "different": found.different,
        "only_fp32_right": found.only_fp32_right,
        "only_this_right": found.only_this_right,
        "p_value": found.p_value,
        "also_differs": list(found.also_differs),
        "fp32_runtime": found.fp32_runtime,
    }
