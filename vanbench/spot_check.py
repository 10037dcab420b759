"""A spot check of evidence: random images are predicted again and compared.

An audit shows that the counts follow from the evidence, not that a model made it. Whoever has the
images and the checkpoint can look: a wrong choice for one image in a hundred is among 300 random
images with a probability of 95 %.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import SystemRandom

import torch
from torch import Tensor, nn

from vanbench.checkpoints.load import open_checkpoint
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.devices import choose_device
from vanbench.download.obtain import Sources, obtain
from vanbench.errors import (
    CheckpointError,
    DataError,
    DeviceError,
    ScoringError,
    VanbenchError,
    ZooError,
    unexpected_as_errors,
)
from vanbench.evaluation.calibrate import CalibrationImages, calibration_images
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.plan import COUNT_WRONG, Candidate, RunOptions
from vanbench.evaluation.precision import check_precision
from vanbench.evaluation.predict import piece_size, predict
from vanbench.evaluation.ready import open_asked, resolve
from vanbench.evidence.audit import (
    CONTRADICTED,
    AuditedAccuracy,
    AuditedRecord,
    Finding,
    Sample,
)
from vanbench.evidence.labels_file import ID_BYTES, Labels
from vanbench.evidence.top5_file import Top, Top5
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.progress import Progress, silent
from vanbench.report.records import FP32, VALIDATION_SET, Accuracy, Numerics, Record
from vanbench.runtimes.names import OPTIMIZED
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.entries import Entry, EvaluationProtocol

TOLERANCE = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 5e-3, "bf16": 3e-2, "int8": 5e-2}
"""How far apart two logits may be that count as a tie, as a part of the largest one of the image.

Other devices, threads and versions round differently: by about 1e-6 in fp32.
"""


def spot_check(
    audited: AuditedRecord,
    data: Path,
    sample: int,
    sources: Sources,
    progress: Progress = silent,
) -> AuditedRecord:
    """The record after ``sample`` random images of the set at ``data`` were predicted again.

    The model computes as the record says, on the device of the record if this machine has one. What
    makes that impossible is the ``error`` of an accuracy, and the others are done.
    """
    accuracies = []
    for one in audited.accuracies:
        if one.labels and one.top5:
            try:
                with unexpected_as_errors():
                    one = _spot_checked(audited, one, data, sample, sources, progress)
            except VanbenchError as error:
                one = replace(one, error=error)
        accuracies.append(one)
    return replace(audited, accuracies=tuple(accuracies))


def _spot_checked(
    audited: AuditedRecord,
    one: AuditedAccuracy,
    data: Path,
    sample: int,
    sources: Sources,
    progress: Progress,
) -> AuditedAccuracy:
    assert one.labels is not None
    assert one.top5 is not None
    if audited.entry is None or audited.record is None:
        raise ZooError(
            f"no zoo {shorten(audited.zoo)} with this model is known",
            remedy="Give its file with --zoo.",
        )
    protocol = one.accuracy.protocol
    images = open_images(data, protocol.class_ids)
    chosen = SystemRandom().sample(range(len(images)), min(sample, len(images)))
    content = _contents(images, chosen)
    recorded = _recorded(one.top5, images, content)
    device, options = _as_recorded(one.accuracy)
    calibrated = _calibrated(one.accuracy, images)
    model = _open(
        audited.entry, audited.record, one.accuracy, device, options, sources, progress, calibrated
    )
    hashes = {index: sha256.hex() for index, sha256 in content.items()}
    top, logits = _predict(model, images, hashes, protocol, device, options, progress)
    other = {index: found for index, found in top.items() if found != recorded[index]}
    rows, tolerance = dict(zip(top, logits, strict=True)), TOLERANCE[options.precision]
    wrong = {i: t for i, t in other.items() if not is_tie(rows[i], t, recorded[i], tolerance)}
    ids = images.class_ids
    findings = [
        *_of_labels(one.labels, images, content),
        *(
            Finding(_shown(images, i), _words(found, ids), _words(recorded[i], ids))
            for i, found in wrong.items()
        ),
    ]
    return replace(
        one,
        status=CONTRADICTED if findings else one.status,
        findings=(*one.findings, *findings),
        sample=Sample(len(top), len(top) - len(other), len(other) - len(wrong), device.type),
    )


def _contents(images: ImageSet, indices: Iterable[int]) -> dict[int, bytes]:
    """The SHA-256 of each image, without those whose bytes cannot be read."""
    found = {}
    for index in images.storage_order(indices):
        with suppress(DataError):
            found[index] = hashlib.sha256(images.read(index)).digest()
    return found


def is_tie(logits: Tensor, one: Top, other: Top, tolerance: float) -> bool:
    """Whether two orders of classes differ only where logits (classes) are as good as equal."""
    if not one or len(one) != len(other):
        return False
    gap = (logits[list(one)] - logits[list(other)]).abs().max()
    return bool(gap <= tolerance * logits.abs().max())


def _predict(
    model: nn.Module,
    images: ImageSet,
    hashes: Mapping[int, str],
    protocol: EvaluationProtocol,
    device: torch.device,
    options: RunOptions,
    progress: Progress,
) -> tuple[dict[int, Top], Tensor]:
    """The first choices for the images with these hashes, and all logits (images, classes)."""
    keeping, top = _Keeping(model), dict[int, Top]()
    pieces = in_pieces(sorted(hashes), piece_size(device, options))
    batches = predict({"": keeping}, images, protocol, pieces, device, options, content=hashes)
    with progress("predicting again", "images") as update:
        for batch in batches:
            for error in batch.failures.values():
                raise error
            for index, classes in zip(batch.indices, batch.top[""].tolist(), strict=True):
                top[index] = () if index in batch.unreadable else tuple(classes)
            update(len(top), len(hashes))
    return top, keeping.logits(len(top))


class _Keeping(nn.Module):
    """A model that keeps the logits that it returns, on the CPU."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.kept = model, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        self.kept.append(found.float().cpu())
        return found

    def logits(self, images: int) -> Tensor:
        """Those of all images (images, classes), in the order in which they were computed."""
        kept = torch.cat(self.kept)
        if len(kept) != images:  # a batch was computed again in parts
            raise ScoringError("not enough memory", remedy="Give a smaller --sample.")
        return kept


def _recorded(top5: Top5, images: ImageSet, content: Mapping[int, bytes]) -> dict[int, Top]:
    """The recorded choices for some images; DataError if not all of them are in the evidence."""
    if not content:
        raise DataError("the images cannot be read", where=images.path)
    rows = dict(top5.rows)
    found = {i: rows[id_] for i, sha256 in content.items() if (id_ := sha256[:ID_BYTES]) in rows}
    if len(found) < len(content):
        missing = len(content) - len(found)
        raise DataError(
            f"expected the images of the record, found {missing:,} others among "
            f"{len(content):,} random ones",
            where=images.path,
            remedy="Give the data set of the record with --data. Its fingerprint is in the record.",
        )
    return found


def _of_labels(labels: Labels, images: ImageSet, content: Mapping[int, bytes]) -> Sequence[Finding]:
    """The images whose class in the data set is not one that the evidence has for them."""
    known: dict[bytes, set[int]] = {}
    wanted = set(content.values())
    for sha256, label in labels.rows:
        if sha256 in wanted:
            known.setdefault(sha256, set()).add(label)
    ids = images.class_ids
    return [
        Finding(
            f"the class of {_shown(images, index)}",
            ids[images.labels[index]],
            _words(tuple(sorted(known.get(sha256, ()))), ids),
        )
        for index, sha256 in content.items()
        if images.labels[index] not in known.get(sha256, ())
    ]


def _as_recorded(accuracy: Accuracy) -> tuple[torch.device, RunOptions]:
    """The device and the options that the accuracy was computed with, as far as they are here."""
    numerics = accuracy.numerics
    try:
        device = choose_device(numerics.device)
    except DeviceError:
        device = choose_device("auto")
    check_precision(device, numerics.precision)
    options = RunOptions(
        device=device.type,
        precision=numerics.precision,
        workers=0,
        on_error=COUNT_WRONG,
        runtime=_runtime_here(numerics),
        rewrite=numerics.choices if device.type == numerics.device else None,
        weights=accuracy.weights,
    )
    return device, options


def _runtime_here(numerics: Numerics) -> str:
    """The runtime of a record; in fp32 another one, whose ties are the same, if it is not here."""
    recorded = numerics.runtime
    if numerics.precision == FP32 and RUNTIMES[recorded].missing():
        return OPTIMIZED
    return recorded


def _open(
    entry: Entry,
    record: Record,
    accuracy: Accuracy,
    device: torch.device,
    options: RunOptions,
    sources: Sources,
    progress: Progress,
    calibrated: CalibrationImages | None,
) -> nn.Module:
    """The recorded model, ready to compute."""
    fetched = obtain(entry, sources, record, progress)
    if fetched.sha256 != accuracy.sha256:
        raise CheckpointError(
            f"expected the recorded file, {accuracy.sha256}, found {fetched.sha256}",
            where=fetched.path,
        )
    take = partial(
        open_checkpoint,
        fetched.file,
        layer_norm_eps=entry.layer_norm_eps,
        weights=options.weights,
    )
    candidate = Candidate(entry.name, accuracy.protocol, take)
    return open_asked(candidate, device, resolve(options, device), calibrated).model.eval()


def _calibrated(accuracy: Accuracy, images: ImageSet) -> CalibrationImages | None:
    """What int8 was calibrated on, if it was int8; DataError if these images are not here."""
    recorded = accuracy.numerics.calibration
    if recorded is None:
        return None
    if recorded.source == VALIDATION_SET:
        found = calibration_images(images, accuracy.protocol, None)
        if found.about.sha256 == recorded.sha256:
            return found
    raise DataError(
        f"expected the images that int8 was calibrated on ({recorded.source}), found others",
        where=images.path,
        remedy="int8 can be predicted again only if it was calibrated on images of the validation "
        "set, and the whole set is here.",
    )


def _shown(images: ImageSet, index: int) -> str:
    return f"image {for_terminal(images.names[index], most=200)}"


def _words(top: Top, class_ids: Sequence[str]) -> str:
    """Class ids, best first."""
    return ", ".join(class_ids[label] for label in top) or "no choice"
