"""Validation of the models of a zoo, or of one file: their files, one pass, a document for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vanbench.checkpoints.load import Checkpoint, hash_checkpoint, open_checkpoint
from vanbench.devices import INT8, choose_device
from vanbench.download.obtain import Sources, obtain_all
from vanbench.errors import VanbenchError, unexpected_as_errors
from vanbench.evaluation.plan import AnyCandidate, Candidate, ExportedCandidate, RunOptions
from vanbench.evaluation.precision import accuracy_to_record, check_runtime
from vanbench.evaluation.result import ValidationResult, not_measured_json
from vanbench.evaluation.result_json import UsedData, ValidatedModel
from vanbench.evaluation.validate import validate_candidates
from vanbench.exported.load import is_exported, open_exported, prepare
from vanbench.model.architecture import Architecture
from vanbench.progress import Progress, silent
from vanbench.report.records import FP32, Record, with_accuracy
from vanbench.report.rows import ModelRow, make_row, not_judged
from vanbench.runtimes.names import AUTO
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.combined import home
from vanbench.zoo.entries import Entry, EvaluationProtocol, Zoo


@dataclass(frozen=True)
class Validated:
    """For each of ``names``, in the order asked for, the pass it took part in, or why in none.

    ``rows`` has what was measured of the models of a zoo, judged against its claims.
    """

    names: tuple[str, ...]
    passes: Mapping[str, ValidationResult]
    errors: Mapping[str, VanbenchError]
    rows: Mapping[str, ModelRow]

    @property
    def distinct_passes(self) -> list[ValidationResult]:
        """Each pass once; models of one protocol share one."""
        return list({id(result): result for result in self.passes.values()}.values())

    def models_json(self) -> list[ValidatedModel]:
        """The documents of ``validate --json``, one for each model."""
        return [
            not_measured_json(name, self.errors[name])
            if name in self.errors
            else self.passes[name].as_json(name, self.rows.get(name))
            for name in self.names
        ]

    def data_json(self) -> UsedData | None:
        """The set of the first pass; None if there was no pass."""
        return next((result.data_json() for result in self.passes.values()), None)


def validate_entries(
    zoo: Zoo,
    entries: Sequence[Entry],
    sources: Sources,
    results: Path,
    data: Path,
    options: RunOptions,
    progress: Progress = silent,
) -> Validated:
    """Download the file of each entry, and validate all of them over the set at ``data``.

    DependencyError or DeviceError if the runtime that was asked for cannot compute here.
    """
    if options.runtime != AUTO or options.precision == INT8:
        team = options.team
        check_runtime(team.agree(lambda: choose_device(options.device, team.here)), options)
    candidates, missing = [], {}
    for outcome in obtain_all(zoo, entries, sources, results, progress, options.team):
        entry = outcome.entry
        if outcome.error:
            missing[entry.name] = outcome.error
        elif outcome.fetched:
            take = partial(
                open_checkpoint,
                outcome.fetched.file,
                layer_norm_eps=entry.layer_norm_eps,
                weights=options.weights,
                declared=entry.architecture,
            )
            van = isinstance(entry.architecture, Architecture)
            candidates.append(Candidate(entry.name, entry.protocol, take, van))
    names = tuple(entry.name for entry in entries)
    found = _validated(names, candidates, missing, data, options, progress)
    records = {name: _record(zoo, name, result, options) for name, result in found.passes.items()}
    why = "" if options.precision == FP32 else not_judged(options.precision)
    rows = {e.name: make_row(e, records[e.name], reason=why) for e in entries if e.name in records}
    return replace(found, rows=rows)


def _record(zoo: Zoo, name: str, result: ValidationResult, options: RunOptions) -> Record:
    accuracy = accuracy_to_record(result, name, options.store)
    record = with_accuracy(Record(*home(zoo.name, name)), accuracy)
    real = result.real_accuracy(name)
    return with_accuracy(record, real) if real else record


def validate_file(
    checkpoint: Path,
    protocol: EvaluationProtocol,
    data: Path,
    options: RunOptions,
    progress: Progress = silent,
) -> Validated:
    """Validate a file that no zoo has; it is called by its file name.

    An exported file is validated by the protocol in its metadata, if it has any.
    """
    if is_exported(checkpoint):
        return _validate_exported(checkpoint, protocol, data, options, progress)

    def take() -> Checkpoint:
        hashed = options.team.on_each_node(partial(hash_checkpoint, checkpoint))
        return open_checkpoint(hashed, weights=options.weights)

    candidate = Candidate(checkpoint.name, protocol, take)
    return _validated((candidate.name,), [candidate], {}, data, options, progress)


def _validate_exported(
    path: Path,
    protocol: EvaluationProtocol,
    data: Path,
    options: RunOptions,
    progress: Progress,
) -> Validated:
    """Validate an ONNX file or OpenVINO's IR, in its own runtime or in the one asked for."""
    if options.device == "auto":
        options = replace(options, device="cpu")
    try:
        with unexpected_as_errors():
            file = options.team.agree(lambda: open_exported(path, weights=options.weights))
    except VanbenchError as error:
        return Validated((path.name,), {}, {path.name: error}, {})
    protocol = file.metadata.protocol if file.metadata else protocol
    if options.runtime == AUTO:
        able = [name for name in file.runtimes if options.precision in RUNTIMES[name].precisions]
        options = replace(options, runtime=(able or file.runtimes)[0])
    take = partial(prepare, file, protocol, options.runtime, options.precision)
    candidate = ExportedCandidate(path.name, protocol, take)
    return _validated((candidate.name,), [candidate], {}, data, options, progress)


def _validated(
    names: tuple[str, ...],
    candidates: Sequence[AnyCandidate],
    missing: Mapping[str, VanbenchError],
    data: Path,
    options: RunOptions,
    progress: Progress,
) -> Validated:
    passes, errors = validate_candidates(candidates, data, options, progress)
    errors |= missing
    return Validated(names, passes, {name: errors[name] for name in names if name in errors}, {})
