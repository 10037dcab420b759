"""What ``vanbench verify`` does: check zoo entries, write records, return rows.

What is done for one model is inside ``unexpected_as_errors``: whatever happens there is the failure
of that model, and the others are done.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from vanbench.checkpoints.load import Checkpoint, open_checkpoint
from vanbench.data.open import open_images
from vanbench.devices import choose_device
from vanbench.download.obtain import Sources, file_status, obtain
from vanbench.environment import Environment, environment, today
from vanbench.errors import (
    CheckpointError,
    DataError,
    FetchError,
    InternalError,
    StorageError,
    UnreadableError,
    VanbenchError,
    overall_exit_code,
    unexpected_as_errors,
)
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.precision import accuracy_to_record, check_precision, check_runtime
from vanbench.evaluation.result import ValidationResult
from vanbench.evaluation.validate import validate_candidates
from vanbench.evidence import files as evidence
from vanbench.flops import count_as_reported
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import AnyArchitecture
from vanbench.progress import Progress, guarded_progress, raising_callers_errors, silent
from vanbench.report import record_files, records
from vanbench.report.records import Counts, FileRecord, Record
from vanbench.report.rows import ModelRow, make_row, unjudged_row
from vanbench.zoo.addresses import portable
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.combined import home
from vanbench.zoo.entries import Entry, Zoo
from vanbench.zoo.other_sets import title_of


@dataclass(frozen=True)
class Verified:
    """The outcome of ``verify``; ``paths`` are the files on this machine by model.

    ``passes`` are the passes over the images, one per protocol. ``failures`` are why there is no
    sound file, no count or no record, by model, and bugs at any step.
    """

    rows: list[ModelRow]
    paths: dict[str, Path]
    environment: Environment
    passes: list[ValidationResult]
    failures: dict[str, VanbenchError]
    exit_code: int


@dataclass(frozen=True)
class _Examined:
    """An entry with what this run found of its file and counts.

    ``old`` is the latest full record. ``error`` is the first failure.
    """

    entry: Entry
    old: Record | None
    record: Record
    error: VanbenchError | None


@raising_callers_errors()
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

    One model's failure is its row's verdict; the others are still done. A record that cannot be
    used raises RecordError before anything is measured. In another precision than fp32, accuracies
    have no verdict, and are recorded beside those in fp32.

    Of several processes that torchrun started, the first one counts, judges and records; the others
    share the pass over the images, and return no rows.
    """
    progress, team = guarded_progress(progress), options.team
    device = team.agree(lambda: choose_device(options.device, team.here))
    check_precision(device, options.precision)
    if data is not None:
        check_runtime(device, options)
    if data is not None and options.precision != records.FP32:
        team.agree(partial(_refuse_other_set, data))
    old = {entry.name: _old_record(results, zoo, entry) for entry in entries}
    examined, opened = [], {}
    for entry in entries:
        item, checkpoint = _examine(zoo, entry, sources, old[entry.name], options, progress)
        examined.append(item)
        if checkpoint:
            opened[entry.name] = checkpoint  # only this refers to the weights
    if team.here.is_first:
        examined = _count_all(examined, device, progress)
    paths = {name: checkpoint.path for name, checkpoint in opened.items()}
    passes: dict[str, ValidationResult] = {}
    errors: dict[str, VanbenchError] = {}
    if data is not None:
        candidates = _candidates(entries, opened)
        passes, errors = validate_candidates(candidates, data, options, progress)
    failures = {item.entry.name: item.error for item in examined if item.error}
    failures |= {name: error for name, error in errors.items() if isinstance(error, InternalError)}
    rows = []
    for item in examined if team.here.is_first else []:
        row, failure = _finish(item, passes, errors, results, options, asked=data is not None)
        rows.append(row)
        if failure:
            failures.setdefault(item.entry.name, failure)
    return Verified(
        rows=rows,
        paths=paths,
        environment=environment(device),
        passes=list({id(result): result for result in passes.values()}.values()),
        failures=failures,
        exit_code=_exit_code(rows, failures, options, asked=data is not None),
    )


def _refuse_other_set(data: Path) -> None:
    """DataError for another test set than ImageNet-1k: accuracies over it are recorded in fp32."""
    try:
        key = open_images(data, imagenet_1k()).other_set
    except DataError:
        return  # the pass over the images says so
    if key is None:
        return
    raise DataError(
        f"accuracies over {title_of(key)} are recorded in fp32 only",
        where=data,
        remedy="Use --precision fp32, or vanbench validate, which records nothing.",
    )


def _exit_code(
    rows: Sequence[ModelRow],
    failures: Mapping[str, VanbenchError],
    options: RunOptions,
    *,
    asked: bool,
) -> int:
    part = options.limit is not None
    codes = [row.exit_code(asked, part_asked=part, precision=options.precision) for row in rows]
    bugs = [e.exit_code for e in failures.values() if isinstance(e, InternalError)]
    others = [VanbenchError.exit_code] * (len(failures) - len(bugs))
    return overall_exit_code([*codes, *bugs, *others])


def _old_record(results: Path, zoo: Zoo, entry: Entry) -> Record | VanbenchError | None:
    """The latest full record, or why it cannot be read; then it is not replaced either."""
    try:
        with unexpected_as_errors():
            return record_files.read(results, zoo.name, entry)
    except VanbenchError as error:
        return error


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
            van = isinstance(entry.architecture, Architecture)
            found.append(Candidate(entry.name, entry.protocol, take, van))
        else:
            del opened[entry.name]
    return found


def _finish(
    item: _Examined,
    passes: Mapping[str, ValidationResult],
    errors: Mapping[str, VanbenchError],
    results: Path,
    options: RunOptions,
    *,
    asked: bool,
) -> tuple[ModelRow, VanbenchError | None]:
    """The row of what this run found, recorded unless it is partial; and what failed in that."""
    row = None
    try:
        with unexpected_as_errors():
            row = _conclude(item, passes, errors, options)
            if not (options.limit or row.is_partial):
                row = _with_evidence(results, row, passes.get(item.entry.name), options)
                no_accuracy = asked and row.lacks_accuracy(options.precision)
                _keep(results, item, row, no_accuracy=no_accuracy)
    except VanbenchError as error:
        row = row or unjudged_row(item.entry, item.record, error.problem)
        if not options.limit:
            with suppress(VanbenchError), unexpected_as_errors():
                record_files.write_failed(results, row.record)
        return row, error
    return row, None


def _with_evidence(
    results: Path, row: ModelRow, result: ValidationResult | None, options: RunOptions
) -> ModelRow:
    """The row with the evidence of the accuracy that this run measured, which is written now.

    A record is written after the files that it names. Accuracies over other test sets have none.
    """
    if result is None or result.data.other_set is not None:
        return row
    record, name = row.record, row.entry.name
    accuracy = record.accuracies[options.precision]
    written = evidence.write(results, record, accuracy, result.labelled, result.choices[name])
    record = records.with_accuracy(record, replace(accuracy, evidence=written))
    return replace(row, record=record)


def _conclude(
    item: _Examined,
    passes: Mapping[str, ValidationResult],
    errors: Mapping[str, VanbenchError],
    options: RunOptions,
) -> ModelRow:
    """The row of what this run found."""
    name = item.entry.name
    record, result = item.record, passes.get(name)
    if result is not None:
        old = item.old if isinstance(item.old, Record) else None
        accuracy = accuracy_to_record(result, name, options.store, old)
        record = records.with_accuracy(record, accuracy)
        if real := result.real_accuracy(name):
            record = records.with_accuracy(record, real)
    reason = str(errors.get(name, ""))
    if record.counts is None and item.error:
        return make_row(item.entry, record, reason=reason, why_no_counts=item.error.cause)
    return make_row(item.entry, record, reason=reason)


def _examine(
    zoo: Zoo,
    entry: Entry,
    sources: Sources,
    old: Record | VanbenchError | None,
    options: RunOptions,
    progress: Progress,
) -> tuple[_Examined, Checkpoint | None]:
    """Download and open the file; None in its place when there is no sound file."""
    error = old if isinstance(old, VanbenchError) else None
    recorded = None if isinstance(old, VanbenchError) else old
    if entry.no_file:
        return _Examined(entry, recorded, Record(*home(zoo.name, entry.name)), error), None
    found, checkpoint, failure = _file(zoo, entry, sources, recorded, options, progress)
    record = Record(*home(zoo.name, entry.name), found, None)
    return _Examined(entry, recorded, record, error or failure), checkpoint


def _count_all(
    items: Sequence[_Examined], device: torch.device, progress: Progress
) -> list[_Examined]:
    """The items with the counts of the network in each file, or else of the declared one."""
    counted = []
    with progress("counting parameters and FLOPs", "models") as update:
        for number, item in enumerate(items):
            update(number, len(items), item.entry.name)
            counted.append(_with_counts(item, device))
    return counted


def _with_counts(item: _Examined, device: torch.device) -> _Examined:
    entry, file = item.entry, item.record.checkpoint
    found = file.architecture if file else None
    try:
        with unexpected_as_errors():
            source = "checkpoint" if found else "architecture"
            counts = _count(entry, found or entry.architecture, source, device)
    except VanbenchError as reason:
        return replace(item, error=item.error or reason)
    return replace(item, record=replace(item.record, counts=counts))


def _file(
    zoo: Zoo,
    entry: Entry,
    sources: Sources,
    old: Record | None,
    options: RunOptions,
    progress: Progress,
) -> tuple[FileRecord, Checkpoint | None, VanbenchError | None]:
    """What the record says of the file; the opened file, or why there is none."""
    team = options.team
    found = FileRecord(url=entry.public_url, file=entry.filename, status="", date=today())
    try:
        with unexpected_as_errors():
            once = partial(obtain, entry, sources, old, progress)
            fetched = team.agree(partial(team.on_each_node, once))
            found = replace(
                found, status=fetched.status, bytes=fetched.bytes, sha256=fetched.sha256
            )
            checkpoint = team.agree(
                lambda: open_checkpoint(
                    fetched.file,
                    layer_norm_eps=entry.layer_norm_eps,
                    weights=options.weights,
                    declared=entry.architecture,
                )
            )
            found = replace(
                found,
                format=checkpoint.naming.name,
                architecture=checkpoint.architecture,
                oddities=checkpoint.suspicious or None,
                weights=checkpoint.weights,
            )
    except VanbenchError as error:
        status = _status(error, fetched=bool(found.status))
        folders: tuple[str | Path, ...] = (*sources.folders, zoo.path.parent)
        reason, cause = (portable(text, folders) for text in (_reason(error), error.cause))
        return replace(found, status=status, reason=reason, cause=cause), None, error
    return found, checkpoint, None


def _status(error: VanbenchError, *, fetched: bool) -> str:
    """The checkpoint status of a record for a failure before or after the file was there."""
    if isinstance(error, CheckpointError):
        return error.status
    return UnreadableError.status if fetched else file_status(error)


def _reason(error: VanbenchError) -> str:
    """The message for a record: without advice that names the users of this machine."""
    return error.problem if isinstance(error, StorageError | UnreadableError) else str(error)


def _count(
    entry: Entry, architecture: AnyArchitecture, source: str, device: torch.device
) -> Counts:
    counting = entry.counting
    complexity = count_as_reported(
        architecture, counting.num_classes, counting.resolution, str(device)
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
        by_operator=complexity.by_operator,
        by_module=complexity.by_module,
    )


def _keep(results: Path, item: _Examined, row: ModelRow, *, no_accuracy: bool) -> None:
    """Record what was measured in full, and a failed attempt beside it."""
    bad_file = row.file_status in ("mismatch", "unreadable")
    unexpected = item.error and not isinstance(item.error, FetchError | CheckpointError)
    if no_accuracy or bad_file or unexpected:
        record_files.write_failed(results, row.record)
    else:
        merged = records.merge(item.old, row.whole_record)
        record_files.write(results, merged)
        evidence.remove_replaced(results, item.old, merged)
