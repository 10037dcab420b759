"""The JSON form of an audit."""

from typing_extensions import TypedDict

from vanbench.errors import ErrorJson, error_json
from vanbench.evidence.audit import AuditedAccuracy, AuditedRecord, Finding, Sample


class FindingJson(TypedDict):
    """Something that is not as it should be."""

    what: str
    """The key of the record, or the file of evidence, that it is about."""
    expected: str
    """What should be there, such as the number that follows from the evidence."""
    found: str
    """What is there."""


class SampleJson(TypedDict):
    """Random images that were predicted again."""

    images: int
    """How many images."""
    same: int
    """For how many of them the five first choices are the recorded ones."""
    ties: int
    """For how many only the order of classes differs whose logits are as good as equal."""
    device: str
    """Where they were computed."""


class AuditedAccuracyJson(TypedDict):
    """One accuracy of a record."""

    precision: str
    """The precision that it was computed in."""
    date: str
    """When it was measured."""
    status: str
    """``follows``: the counts follow from the evidence; ``no evidence``: it is older than evidence,
    and was not checked; ``contradicted``: see ``findings``."""
    images: int | None
    """How many images the evidence has; null where it could not be counted."""
    correct1: int | None
    """How many first choices are right, counted from the evidence."""
    correct5: int | None
    """How often one of the first five is right, counted from the evidence."""
    top1_verdict: str | None
    """The verdict for Top-1 that follows; null for another precision than fp32, and where no zoo
    with the model is known."""
    top5_verdict: str | None
    """The same for Top-5."""
    file: str | None
    """The file with the choices, relative to the folder of the records; null without one."""
    labels_file: str | None
    """The file with the labels."""
    findings: list[FindingJson]
    """What is not as it should be, also in the sample."""
    sample: SampleJson | None
    """Images that were predicted again; null without --sample, or where that was not possible."""
    error: ErrorJson | None
    """Why no image could be predicted again; null if none was to be, or if it was possible."""


class AuditedRecordJson(TypedDict):
    """One record."""

    record: str
    """The file."""
    zoo: str
    """The zoo whose folder it is in."""
    name: str
    """The model, ARCH.TAG."""
    judged: bool
    """Whether a zoo with the model is known, so that its claims could be judged."""
    problem: FindingJson | None
    """Why the file is no record that can be used; null if it is one."""
    accuracies: list[AuditedAccuracyJson]
    """Its accuracies, fp32 first; empty if none was measured."""


def record_json(audited: AuditedRecord) -> AuditedRecordJson:
    """The form of ``audit --json`` for one record."""
    return {
        "record": str(audited.path),
        "zoo": audited.zoo,
        "name": audited.name,
        "judged": audited.entry is not None,
        "problem": _finding_json(audited.problem) if audited.problem else None,
        "accuracies": [_accuracy_json(one) for one in audited.accuracies],
    }


def _accuracy_json(audited: AuditedAccuracy) -> AuditedAccuracyJson:
    tally, row, evidence = audited.tally, audited.row, audited.accuracy.evidence
    return {
        "precision": audited.precision,
        "date": audited.accuracy.date,
        "status": audited.status,
        "images": tally.images if tally else None,
        "correct1": tally.correct1 if tally else None,
        "correct5": tally.correct5 if tally else None,
        "top1_verdict": row.top1.verdict if row else None,
        "top5_verdict": row.top5.verdict if row else None,
        "file": evidence.file if evidence else None,
        "labels_file": evidence.labels_file if evidence else None,
        "findings": [_finding_json(finding) for finding in audited.findings],
        "sample": _sample_json(audited.sample) if audited.sample else None,
        "error": error_json(audited.error) if audited.error else None,
    }


def _finding_json(finding: Finding) -> FindingJson:
    return {"what": finding.what, "expected": finding.expected, "found": finding.found}


def _sample_json(sample: Sample) -> SampleJson:
    return {
        "images": sample.images,
        "same": sample.same,
        "ties": sample.ties,
        "device": sample.device,
    }
