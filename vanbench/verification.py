"""The front door of the measuring half: zoo entries in, records and rows out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vanbench.checkpoints.key_names import detect
from vanbench.checkpoints.load import architecture_of, model_from_state
from vanbench.checkpoints.state_dict import oddities, read_state_dict
from vanbench.download.obtain import Progress, Sources, obtain, silent
from vanbench.environment import environment, today
from vanbench.errors import CheckpointError, FetchError, VanbenchError
from vanbench.evaluation.predict import choose_device
from vanbench.evaluation.validate import Candidate, Run, Validated, validate_files
from vanbench.flops import count_as_reported
from vanbench.model.architecture import Architecture
from vanbench.report import records
from vanbench.report.records import Accuracy, Checkpoint, Counts, Record
from vanbench.report.rows import Row, make_row, overall_exit_code
from vanbench.report.verdicts import NOT_MEASURED, PARTIAL
from vanbench.zoo.reader import Entry, Zoo


@dataclass(frozen=True)
class Verified:
    """The outcome of ``verify``; ``paths`` are the files on this machine, ``data`` the set used.

    ``passes`` are the passes over the images, one per protocol.
    """

    rows: list[Row]
    paths: dict[str, Path]
    environment: dict
    data: dict | None
    passes: list[Validated]
    exit_code: int

    @property
    def advice(self) -> str:
        """What to do about files that could not be had, as the first such message says it."""
        checkpoints = [row.record.checkpoint for row in self.rows]
        reasons = [c.reason for c in checkpoints if c and c.reason]
        return reasons[0].splitlines()[-1] if reasons else ""


@dataclass(frozen=True)
class _Examined:
    """An entry whose file and counts are done; ``path`` None when there is no sound file."""

    entry: Entry
    record: Record
    path: Path | None


def verify(
    zoo: Zoo,
    entries: Sequence[Entry],
    sources: Sources,
    results: Path,
    data: Path | None,
    run: Run,
    progress: Progress = silent,
) -> Verified:
    """Check every claim of ``entries``; record what was measured in full.

    One model's failure is its row's verdict; the others are still done.
    """
    device = choose_device(run.device)
    old = {entry.name: records.read(results, zoo.name, entry.name) for entry in entries}
    examined = [_examine(zoo, e, sources, device, old[e.name], progress) for e in entries]
    passes: dict[str, Validated] = {}
    errors: dict[str, VanbenchError] = {}
    if data is not None:
        passes, errors = validate_files(_candidates(examined), data, run, progress)
    rows = [_conclude(item, passes, errors) for item in examined]
    for row in rows:
        if not (run.limit or PARTIAL in (row.top1.verdict, row.top5.verdict)):
            _keep(results, old[row.entry.name], row, asked=data is not None)
    return Verified(
        rows=rows,
        paths={item.entry.name: item.path for item in examined if item.path},
        environment=environment(device),
        data=next((validated.about_data() for validated in passes.values()), None),
        passes=list({id(validated): validated for validated in passes.values()}.values()),
        exit_code=overall_exit_code(row.exit_code(data is not None) for row in rows),
    )


def _candidates(examined: Sequence[_Examined]) -> list[Candidate]:
    """The files to validate: sound ones with a reported accuracy, or with a head that fits."""
    found = []
    for item in examined:
        entry = item.entry
        assert item.record.checkpoint is not None
        head = (item.record.checkpoint.architecture or {}).get("num_classes")
        claimed = entry.claims.top1 or entry.claims.top5
        if item.path and (claimed or head == len(entry.protocol.class_ids)):
            found.append(Candidate(entry.name, item.path, entry.protocol, entry.layer_norm_eps))
    return found


def _conclude(
    item: _Examined, passes: Mapping[str, Validated], errors: Mapping[str, VanbenchError]
) -> Row:
    """The row of what this run found."""
    name = item.entry.name
    record, validated = item.record, passes.get(name)
    if validated is not None:
        assert record.checkpoint is not None
        record = replace(record, accuracy=_accuracy(name, record.checkpoint, validated))
    reason = str(errors.get(name, ""))
    partial = validated is not None and not validated.covers(item.entry.images)
    return make_row(item.entry, record, partial=partial, reason=reason)


def _examine(
    zoo: Zoo,
    entry: Entry,
    sources: Sources,
    device: torch.device,
    old: Record | None,
    progress: Progress,
) -> _Examined:
    """Fetch and read the file, and count the network it holds, or else the declared one."""
    found = Checkpoint(url=entry.urls[0], file=entry.filename, status="", date=today())
    architecture, path = entry.architecture, None
    try:
        fetched = obtain(entry, sources, old, progress)
        found = replace(found, status=fetched.status, bytes=fetched.bytes, sha256=fetched.sha256)
        state = read_state_dict(fetched.path)
        architecture, path = architecture_of(model_from_state(state)), fetched.path
        found = replace(
            found,
            format=detect(state).name,
            architecture=architecture.as_dict(),
            oddities=oddities(state) or None,
        )
    except (FetchError, CheckpointError) as error:
        reason = _portable(str(error), sources)
        cause = _portable(error.brief, sources)
        found = replace(found, status=error.status, reason=reason, cause=cause)
    counts = _count(entry, architecture, "checkpoint" if path else "architecture", device)
    return _Examined(entry, Record(zoo.name, entry.name, found, counts), path)


def _portable(message: str, sources: Sources) -> str:
    """The message without the folders of this machine: it goes into a record."""
    return message.replace(f"{sources.cache}/", "").replace(str(sources.cache), "the cache")


def _count(entry: Entry, architecture: Architecture, source: str, device: torch.device) -> Counts:
    counting = entry.counting
    complexity = count_as_reported(
        architecture, counting.num_classes, counting.resolution, device.type
    )
    return Counts(
        source=source,
        architecture=complexity.architecture.as_dict(),
        resolution=complexity.resolution,
        params=complexity.params,
        params_backbone=complexity.params_backbone,
        flops=complexity.flops,
        uncounted=complexity.uncounted,
        date=today(),
        environment=environment(device),
    )


def _accuracy(name: str, checkpoint: Checkpoint, validated: Validated) -> Accuracy:
    tally = validated.tallies[name]
    return Accuracy(
        sha256=str(checkpoint.sha256),
        images=tally.images,
        correct1=tally.correct1,
        correct5=tally.correct5,
        data=validated.data,
        protocol=validated.protocol.as_dict(),
        numerics=validated.numerics,
        seconds=validated.seconds,
        waited=validated.waited,
        date=today(),
        environment=validated.environment,
    )


def _keep(results: Path, old: Record | None, row: Row, *, asked: bool) -> None:
    """Record what was measured in full, and a failed attempt beside it."""
    lost = asked and any(f.verdict == NOT_MEASURED for f in (row.top1, row.top5))
    spoiled = row.file_status in ("mismatch", "unreadable")
    if lost or spoiled:
        records.write_failed(results, row.record)
    else:
        records.write(results, records.merge(old, row.record))
