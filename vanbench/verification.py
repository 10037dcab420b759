"""What ``vanbench verify`` does: check zoo entries, write records, return rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from vanbench.checkpoints.load import Checkpoint, open_checkpoint
from vanbench.devices import choose_device
from vanbench.download.obtain import Sources, obtain
from vanbench.environment import Environment, environment, today
from vanbench.errors import (
    CheckpointError,
    FetchError,
    StorageError,
    UnreadableError,
    VanbenchError,
)
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.result import ValidationResult
from vanbench.evaluation.validate import validate_candidates
from vanbench.flops import count_as_reported
from vanbench.model.architecture import Architecture
from vanbench.progress import Progress, silent
from vanbench.report import record_files, records
from vanbench.report.records import Accuracy, Counts, FileRecord, Record
from vanbench.report.rows import ModelRow, make_row, overall_exit_code
from vanbench.report.verdicts import NOT_MEASURED, PARTIAL
from vanbench.zoo.addresses import portable
from vanbench.zoo.entries import Entry, Zoo


@dataclass(frozen=True)
class Verified:
    """The outcome of ``verify``; ``paths`` are the files on this machine by model.

    ``passes`` are the passes over the images, one per protocol; ``failures`` are why there is no
    sound file, by model.
    """

    rows: list[ModelRow]
    paths: dict[str, Path]
    environment: Environment
    passes: list[ValidationResult]
    failures: dict[str, FetchError | CheckpointError]
    exit_code: int


@dataclass(frozen=True)
class _Examined:
    """An entry whose file and counts are done; ``checkpoint`` None when there is no sound file."""

    entry: Entry
    record: Record
    checkpoint: Checkpoint | None
    error: FetchError | CheckpointError | None


def verify(
    zoo: Zoo,
    entries: Sequence[Entry],
    sources: Sources,
    results: Path,
    data: Path | None,
    options: RunOptions,
    progress: Progress = silent,
) -> Verified:
    """Check every claim of ``entries``; record what was measured in full.

    One model's failure is its row's verdict; the others are still done.
    """
    device = choose_device(options.device)
    old = {entry.name: record_files.read(results, zoo.name, entry) for entry in entries}
    examined, opened = [], {}
    for entry in entries:
        item = _examine(zoo, entry, sources, device, old[entry.name], options.weights, progress)
        examined.append(replace(item, checkpoint=None))  # only ``opened`` refers to the weights
        if item.checkpoint:
            opened[entry.name] = item.checkpoint
    paths = {name: checkpoint.path for name, checkpoint in opened.items()}
    passes: dict[str, ValidationResult] = {}
    errors: dict[str, VanbenchError] = {}
    if data is not None:
        candidates = _candidates(entries, opened)
        passes, errors = validate_candidates(candidates, data, options, progress)
    rows = [_conclude(item, passes, errors) for item in examined]
    for row in rows:
        if not (options.limit or PARTIAL in (row.top1.verdict, row.top5.verdict)):
            _keep(results, old[row.entry.name], row, asked=data is not None)
    return Verified(
        rows=rows,
        paths=paths,
        environment=environment(device),
        passes=list({id(result): result for result in passes.values()}.values()),
        failures={item.entry.name: item.error for item in examined if item.error},
        exit_code=overall_exit_code(
            row.exit_code(data is not None, part_asked=options.limit is not None) for row in rows
        ),
    )


def _candidates(entries: Sequence[Entry], opened: dict[str, Checkpoint]) -> list[Candidate]:
    """The files to validate: sound ones with a reported accuracy, or with a head that fits.

    The others are closed, and each candidate is taken out of ``opened`` when its turn comes.
    """
    found = []
    for entry in entries:
        if entry.name not in opened:
            continue
        head = opened[entry.name].architecture.num_classes
        claimed = entry.claims.top1 or entry.claims.top5
        if claimed or head == len(entry.protocol.class_ids):
            take = partial(opened.pop, entry.name)
            found.append(Candidate(entry.name, entry.protocol, take))
        else:
            del opened[entry.name]
    return found


def _conclude(
    item: _Examined, passes: Mapping[str, ValidationResult], errors: Mapping[str, VanbenchError]
) -> ModelRow:
    """The row of what this run found."""
    name = item.entry.name
    record, result = item.record, passes.get(name)
    if result is not None:
        assert record.checkpoint is not None
        record = replace(record, accuracy=_accuracy(name, record.checkpoint, result))
    reason = str(errors.get(name, ""))
    return make_row(item.entry, record, reason=reason)


def _examine(
    zoo: Zoo,
    entry: Entry,
    sources: Sources,
    device: torch.device,
    old: Record | None,
    weights: str | None,
    progress: Progress,
) -> _Examined:
    """Download and open the file, and count the network it holds, or else the declared one."""
    found = FileRecord(url=entry.public_url, file=entry.filename, status="", date=today())
    checkpoint, failure = None, None
    try:
        fetched = obtain(entry, sources, old, progress)
        found = replace(found, status=fetched.status, bytes=fetched.bytes, sha256=fetched.sha256)
        checkpoint = open_checkpoint(
            fetched.file, layer_norm_eps=entry.layer_norm_eps, weights=weights
        )
        found = replace(
            found,
            format=checkpoint.naming.name,
            architecture=checkpoint.architecture,
            oddities=checkpoint.suspicious or None,
            weights=checkpoint.weights,
        )
    except (FetchError, CheckpointError) as error:
        failure = error
        folders: tuple[str | Path, ...] = (*sources.folders, zoo.path.parent)
        reason, cause = (portable(text, folders) for text in (_reason(error), error.cause))
        found = replace(found, status=error.status, reason=reason, cause=cause)
    architecture = checkpoint.architecture if checkpoint else entry.architecture
    counts = _count(entry, architecture, "checkpoint" if checkpoint else "architecture", device)
    return _Examined(entry, Record(zoo.name, entry.name, found, counts), checkpoint, failure)


def _reason(error: VanbenchError) -> str:
    """The message for a record: without advice that names the users of this machine."""
    return error.problem if isinstance(error, StorageError | UnreadableError) else str(error)


def _count(entry: Entry, architecture: Architecture, source: str, device: torch.device) -> Counts:
    counting = entry.counting
    complexity = count_as_reported(
        architecture, counting.num_classes, counting.resolution, device.type
    )
    return Counts(
        source=source,
        architecture=complexity.architecture,
        resolution=complexity.resolution,
        params=complexity.params,
        params_backbone=complexity.params_backbone,
        flops=complexity.flops,
        uncounted=complexity.uncounted,
        date=today(),
        environment=environment(device),
    )


def _accuracy(name: str, checkpoint: FileRecord, result: ValidationResult) -> Accuracy:
    tally = result.tallies[name]
    return Accuracy(
        sha256=str(checkpoint.sha256),
        images=tally.images,
        correct1=tally.correct1,
        correct5=tally.correct5,
        data=result.data,
        protocol=result.protocol,
        numerics=result.numerics,
        seconds=result.seconds,
        waited=result.waited,
        date=today(),
        environment=result.environment,
        weights=result.weights[name],
    )


def _keep(results: Path, old: Record | None, row: ModelRow, *, asked: bool) -> None:
    """Record what was measured in full, and a failed attempt beside it."""
    no_accuracy = asked and any(f.verdict == NOT_MEASURED for f in (row.top1, row.top5))
    bad_file = row.file_status in ("mismatch", "unreadable")
    if no_accuracy or bad_file:
        record_files.write_failed(results, row.record)
    else:
        record_files.write(results, records.merge(old, row.record))
