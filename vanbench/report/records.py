"""Records: what was measured of a model, with its provenance.

A record has three sections, each with the date and environment of its own measurement: a run
replaces the sections that it measured in full and leaves the others. No record holds a path of a
machine. ``record_files`` reads and writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from vanbench.checkpoints.weights import PLAIN
from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.environment import Environment
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import Architecture
from vanbench.zoo.entries import EvaluationProtocol

VERIFIED = "verified"
UNVERIFIABLE = "unverifiable"
HAVE_FILE = (VERIFIED, UNVERIFIABLE)
FAILED = ("unreachable", "missing", "mismatch", "unreadable")

ArchitectureJson = Annotated[
    Architecture,
    BeforeValidator(lambda value: Architecture.from_dict(value)),
    PlainSerializer(Architecture.as_dict),
]
"""An Architecture, in JSON beside its published name."""


@dataclass(frozen=True)
class Numerics:
    """How the logits were computed.

    ``model`` is ``reference`` or ``optimized``; ``choices`` is how the rewrite ran.
    """

    precision: str
    tf32: bool
    device: str
    model: str
    choices: RewriteConfig | None
    compile: bool


@dataclass(frozen=True)
class ValidationEnvironment(Environment):
    """The environment, with the outcome of the decoder's check."""

    decoder: DecoderReport


@dataclass(frozen=True)
class FileRecord:
    """The checkpoint file: what was found, and the architecture read from its tensors.

    Where there is no sound file, ``reason`` is the whole message and ``cause`` one clause of it.
    ``oddities`` are what no training leaves in weights, such as NaN or a tensor of zeros.
    ``weights`` is the kind that was read, ``plain`` or ``ema``; None means plain.
    """

    url: str
    file: str
    status: str
    date: str
    reason: str | None = None
    cause: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    format: str | None = None
    architecture: ArchitectureJson | None = None
    oddities: tuple[str, ...] | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Counts:
    """Parameters and FLOPs; ``source`` is ``checkpoint`` or ``architecture`` (the declared one).

    ``flops`` has the total by convention, ``uncounted`` how often fvcore met each operator that it
    does not count. ``by_operator`` and ``by_module`` have the FLOPs of each part by convention;
    they are None in old records.
    """

    source: str
    architecture: ArchitectureJson
    resolution: int
    params: int
    params_backbone: int
    flops: Mapping[str, int]
    uncounted: Mapping[str, int]
    date: str
    environment: Environment
    by_operator: Mapping[str, Mapping[str, int]] | None = None
    by_module: Mapping[str, Mapping[str, int]] | None = None


@dataclass(frozen=True)
class Accuracy:
    """Integer counts over a validation set.

    ``sha256`` is the checkpoint's, ``weights`` the kind of its weights that was scored, as in
    FileRecord.
    """

    sha256: str
    images: int
    correct1: int
    correct5: int
    data: DataSummary
    protocol: EvaluationProtocol
    numerics: Numerics
    seconds: float
    waited: float
    date: str
    environment: ValidationEnvironment
    weights: str | None = None


@dataclass(frozen=True)
class Record:
    """What was measured of one model of a zoo; None for a section that was not."""

    zoo: str
    name: str
    checkpoint: FileRecord | None = None
    counts: Counts | None = None
    accuracy: Accuracy | None = None


def merge(old: Record | None, new: Record) -> Record:
    """``new``, with the sections of ``old`` that ``new`` did not measure in full.

    An accuracy is kept only while it belongs to the same weights of the same file.
    """
    if old is None:
        return new
    checkpoint, counts, accuracy = new.checkpoint, new.counts, new.accuracy
    if not has_file(new) and has_file(old):
        checkpoint, counts = old.checkpoint, old.counts
    if accuracy is None and _belongs(old.accuracy, checkpoint):
        accuracy = old.accuracy
    return replace(new, checkpoint=checkpoint, counts=counts, accuracy=accuracy)


def _belongs(accuracy: Accuracy | None, checkpoint: FileRecord | None) -> bool:
    """Whether an accuracy is that of the weights of this file."""
    if accuracy is None or checkpoint is None:
        return False
    return (accuracy.sha256, accuracy.weights or PLAIN) == (
        checkpoint.sha256,
        checkpoint.weights or PLAIN,
    )


def has_file(record: Record) -> bool:
    """Whether the record is of a file that was there, and whose hash was not another one."""
    return record.checkpoint is not None and record.checkpoint.status in HAVE_FILE
