"""An accuracy in another precision, beside the fp32 predictions of the same images.

Published numbers are claims about fp32, so that such an accuracy has no verdict. What it changed is
counted image by image: a percentage alone does not say whether the difference is more than chance.
"""

import platform
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
from vanbench.report.records import FP32, Accuracy, DifferenceFromFp32, Fp32Speed, Record
from vanbench.runtimes.choose import contenders
from vanbench.runtimes.names import AUTO, COMPILED
from vanbench.runtimes.registry import RUNTIMES

SAME = ("weights", "layer_norm_eps", "numerics_version")
"""Which numerics have to be equal, besides file and protocol; others may differ, and are named."""

_OF_PRECISION = ("numerics.precision", "numerics.tf32")
_OF_RUNTIME = ("numerics.model", "numerics.compile")
_CALIBRATION, _VERSIONS = "numerics.calibration.", "numerics.versions."


_IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
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


def emulation_note(device: torch.device, options: RunOptions) -> str | None:
    """That torch has to emulate a precision which this CPU does not have; None if it has it."""
    precision, runtime = options.precision, options.runtime
    other = runtime in RUNTIMES and RUNTIMES[runtime].extra
    if device.type != "cpu" or precision not in ("bf16", "fp16") or other:
        return None
    has = {
        "bf16": torch.cpu._is_avx512_bf16_supported()
        or torch.cpu._is_amx_tile_supported()
        or (not _IS_X86 and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "fp16": torch.ops.mkldnn._is_mkldnn_fp16_supported(),
    }
    if has[precision]:
        return None
    return (
        f"This processor has no instructions for {precision}, so that torch converts numbers to "
        "fp32 and back. The accuracies are those of this precision; it may be much slower than "
        "fp32."
    )


def check_runtime(device: torch.device, options: RunOptions) -> None:
    """DependencyError or DeviceError if the runtime that was asked for cannot compute here.

    It comes before anything is downloaded.
    """
    if options.runtime == AUTO:
        contenders(device, options.precision)
    else:
        RUNTIMES[options.runtime].check(device, options.precision)


def accuracy_to_record(
    result: ValidationResult, name: str, store: Path | None, old: Record | None = None
) -> Accuracy:
    """The accuracy of one model; in another precision than fp32 with the difference from it.

    Its speed is kept beside that in fp32 of the ``old`` record.
    """
    accuracy = _with_speed(result.accuracy(name), old)
    if accuracy.numerics.precision == FP32:
        return accuracy
    accuracy = replace(accuracy, fp32_speed=_fp32_speed(accuracy, old.accuracy if old else None))
    if store is None:
        return accuracy
    return replace(accuracy, differs_from_fp32=difference_from_fp32(store, result.keys[name]))


def _with_speed(accuracy: Accuracy, old: Record | None) -> Accuracy:
    """With the speed on record, if all predictions were stored before."""
    known = old.accuracies.get(accuracy.numerics.precision) if old else None
    if accuracy.forward or known is None or not _same_speed(known, accuracy):
        return accuracy
    return replace(accuracy, forward=known.forward)


def _same_speed(one: Accuracy, other: Accuracy) -> bool:
    return (one.sha256, one.numerics.runtime) == (
        other.sha256,
        other.numerics.runtime,
    ) and _machine(one) == _machine(other)


def _fp32_speed(accuracy: Accuracy, fp32: Accuracy | None) -> Fp32Speed | None:
    """The speed of the same weights in fp32; None unless machine and processes are the same."""
    if fp32 is None or fp32.forward is None or fp32.sha256 != accuracy.sha256:
        return None
    if _machine(fp32) != _machine(accuracy):
        return None
    return Fp32Speed(fp32.forward.images_per_s, fp32.numerics.runtime)


def _machine(accuracy: Accuracy) -> tuple[object, ...]:
    about, processes = accuracy.environment, accuracy.processes or ()
    return accuracy.numerics.device, about.cpu, about.gpu, about.threads, len(processes)


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

    def unlike(run: StoredRun) -> tuple[bool, int, int]:
        another_runtime = runtime_of(run.key) != runtime_of(this.key)
        return another_runtime, len(_others(run.key, this.key)), -run.id

    for run in sorted(comparable, key=unlike):
        first = _predictions(store, replace(run, data=this.data))
        if first.rows and second.rows:
            agreement = compare_runs(first, second)
            if not agreement.only_second:
                others = _others(run.key, this.key)
                return _as_recorded(agreement, others, runtime_of(run.key))
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


def runtime_of(key: RunKey) -> str | None:
    """What computed the run, as ``--runtime`` has it; None if it is not stored."""
    return COMPILED if key.numerics.get("compile") else key.numerics.get("model")


def _others(fp32: RunKey, this: RunKey) -> tuple[str, ...]:
    """The numerics that differ, such as ``device``, besides the precision and the runtime."""
    another_runtime = runtime_of(fp32) != runtime_of(this)

    def names() -> Iterator[str]:
        one, other = flat_key(fp32), flat_key(this)
        for name in sorted({*one, *other}):
            of_precision = name in _OF_PRECISION or name.startswith(_CALIBRATION)
            of_runtime = name in _OF_RUNTIME or (name.startswith(_VERSIONS) and another_runtime)
            if not (of_precision or of_runtime) and one.get(name) != other.get(name):
                yield name.split(".")[1]

    return tuple(dict.fromkeys(names()))


def _as_recorded(
    agreement: Agreement, others: tuple[str, ...], runtime: str | None
) -> DifferenceFromFp32:
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
        fp32_runtime=runtime,
    )
