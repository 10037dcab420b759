"""An accuracy in another precision, beside the fp32 predictions of the same images.

Published numbers are claims about fp32, so that such an accuracy has no verdict. What it changed is
counted image by image: a percentage alone does not say whether the difference is more than chance.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from vanbench.errors import DeviceError
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.result import ValidationResult
from vanbench.prediction_store.compare import Agreement, RunPredictions, compare_runs, flat_key
from vanbench.prediction_store.rows import stored_rows
from vanbench.prediction_store.store import RunKey, Store, StoredRun
from vanbench.report.records import FP32, Accuracy, DifferenceFromFp32
from vanbench.runtimes.names import AUTO
from vanbench.runtimes.registry import RUNTIMES

SAME = ("weights", "layer_norm_eps", "numerics_version")
"""Which numerics have to be equal, besides file and protocol; others may differ, and are named."""

_OF_PRECISION = ("numerics.precision", "numerics.tf32")


_TF32_SINCE = (8, 0)  # compute capability of Ampere


def check_precision(device: torch.device, precision: str) -> None:
    """DeviceError for TF32 on a device that has none: its results would be fp32 by another name."""
    if precision != "tf32":
        return
    capability = (0, 0)
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
    if capability < _TF32_SINCE:
        raise DeviceError(
            f"expected a GPU with TF32, found {device}, which would compute in fp32",
            remedy="Use --precision fp32. TF32 is in NVIDIA GPUs since Ampere (2020).",
        )


def check_runtime(device: torch.device, options: RunOptions) -> None:
    """DependencyError or DeviceError if the runtime that was asked for cannot compute here.

    It comes before anything is downloaded.
    """
    if options.runtime != AUTO:
        RUNTIMES[options.runtime].check(device, options.precision)


def accuracy_to_record(result: ValidationResult, name: str, store: Path | None) -> Accuracy:
    """The accuracy of one model; in another precision than fp32 with the difference from it."""
    accuracy = result.accuracy(name)
    if store is None or accuracy.numerics.precision == FP32:
        return accuracy
    return replace(accuracy, differs_from_fp32=difference_from_fp32(store, result.keys[name]))


def difference_from_fp32(path: Path, key: RunKey) -> DifferenceFromFp32 | None:
    """How the stored run with that key differs from the fp32 run that is most like it.

    None if no fp32 run of the same weights and protocol has predictions for all of its images.
    """
    with Store(path, create=False) as store:
        runs = store.runs()
        this = next((run for run in runs if run.key.identity == key.identity), None)
        return None if this is None else _difference(store, this, runs)


def _difference(store: Store, this: StoredRun, runs: list[StoredRun]) -> DifferenceFromFp32 | None:
    second = _predictions(store, this)
    comparable = [run for run in runs if _is_comparable(run.key, this.key)]
    for run in sorted(comparable, key=lambda run: (len(_others(run.key, this.key)), -run.id)):
        first = _predictions(store, replace(run, data=this.data))
        if first.rows and second.rows:
            agreement = compare_runs(first, second)
            if not agreement.only_second:
                return _as_recorded(agreement, _others(run.key, this.key))
    return None


def _predictions(store: Store, run: StoredRun) -> RunPredictions:
    return RunPredictions(f"run {run.id}", flat_key(run.key), tuple(stored_rows(store, run)))


def _is_comparable(fp32: RunKey, this: RunKey) -> bool:
    """Whether this is a run in fp32 of the same weights under the same protocol."""
    return (
        fp32.numerics.get("precision") == FP32
        and not fp32.numerics.get("tf32")
        and (fp32.checkpoint, fp32.protocol) == (this.checkpoint, this.protocol)
        and all(fp32.numerics.get(name) == this.numerics.get(name) for name in SAME)
    )


def _others(fp32: RunKey, this: RunKey) -> tuple[str, ...]:
    """The numerics that differ, besides the precision, such as ``device`` and ``torch``."""

    def names() -> Iterator[str]:
        one, other = flat_key(fp32), flat_key(this)
        for name in sorted({*one, *other}):
            if name not in _OF_PRECISION and one.get(name) != other.get(name):
                yield name.split(".")[1]

    return tuple(dict.fromkeys(names()))


def _as_recorded(agreement: Agreement, others: tuple[str, ...]) -> DifferenceFromFp32:
    gained, lost, p = agreement.gained, agreement.lost, agreement.p
    assert gained is not None  # the images and their labels are the same
    assert lost is not None
    assert p is not None
    return DifferenceFromFp32(
        images=agreement.images,
        different=len(agreement.flips),
        only_fp32_right=lost,
        only_this_right=gained,
        p_value=p,
        also_differs=others,
    )
