"""Records: what was measured of a model, with its provenance.

A record has three sections, each with the date and environment of its own measurement: a run
replaces the sections that it measured in full and leaves the others. Beside them are the accuracies
in other precisions than fp32, which no claim is judged by, and those over other test sets than the
model's own, which claims about these sets are judged by. No record holds a path of a machine.
``record_files`` reads and writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from vanbench.checkpoints.weights import PLAIN
from vanbench.data.summary import DataSummary, DecoderReport
from vanbench.environment import Environment
from vanbench.errors import NoFileError
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.torchvision_architecture import AnyArchitecture, architecture_from_dict
from vanbench.progress import counted
from vanbench.zoo.entries import EvaluationProtocol

VERIFIED = "verified"
UNVERIFIABLE = "unverifiable"
HAVE_FILE = (VERIFIED, UNVERIFIABLE)
NO_FILE = NoFileError.status
FAILED = ("unreachable", "missing", "mismatch", "unreadable")
FP32 = "fp32"
"""The precision that claims are judged by: IEEE single precision, without TF32."""

ArchitectureJson = Annotated[
    AnyArchitecture,
    BeforeValidator(lambda value: architecture_from_dict(value)),
    PlainSerializer(lambda value: value.as_dict()),
]
"""An architecture, in JSON beside its published name."""


@dataclass(frozen=True)
class RuntimeTrial:
    """How ``--runtime auto`` decided for one model.

    ``refused`` are the runtimes that were not taken although they are installed, and why.
    ``seconds`` is what each of the others took for the images of the trial; empty where only one
    was left, or where the pass was too short for a trial.
    """

    refused: Mapping[str, str]
    seconds: Mapping[str, float]


VALIDATION_SET, OTHER_IMAGES = "validation set", "other images"
"""Where calibration images are from."""


@dataclass(frozen=True)
class Calibration:
    """The images from which int8 took the ranges of activations.

    ``source`` is ``validation set``, or ``other images``, none of which is in the validation set.
    ``sha256`` is the hash of the list of the images' own hashes, a line each. ``tool`` is what
    quantised the model. ``in_validation_set`` and ``unreadable`` are how many were left out.
    """

    source: str
    images: int
    sha256: str
    tool: str
    in_validation_set: int = 0
    unreadable: int = 0

    @property
    def text(self) -> str:
        """It as a clause."""
        images = counted(self.images, "image")
        if self.source == VALIDATION_SET:
            return f"calibrated on {images} of the validation set itself"
        return f"calibrated on {images} outside the validation set"


@dataclass(frozen=True)
class Numerics:
    """How the logits were computed.

    ``model`` is what computed them: ``reference``, ``optimized``, ``onnxruntime`` or ``openvino``;
    ``choices`` is how the rewrite ran. ``versions`` are those of packages that computed besides
    torch. ``max_relative_error`` is the largest difference from the reference's logits in fp32 over
    a few images of the set, relative to the largest logit; None where it was not looked at.
    ``trial`` is how the runtime was chosen; None where it was asked for. ``calibration`` is there
    for int8 only.
    """

    precision: str
    tf32: bool
    device: str
    model: str
    choices: RewriteConfig | None
    compile: bool
    versions: Mapping[str, str] = field(default_factory=dict)
    max_relative_error: float | None = None
    trial: RuntimeTrial | None = None
    calibration: Calibration | None = None

    @property
    def runtime(self) -> str:
        """The name of the runtime, as ``--runtime`` has it."""
        return "compiled" if self.compile else self.model


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
class DifferenceFromFp32:
    """How the first choices differ from those in fp32, image by image.

    Both runs are of the same weights, protocol and ``images``. On ``different`` of these the first
    choices differ; ``only_fp32_right`` and ``only_this_right`` are the images that one run alone
    gets right (Top-1), and ``p_value`` is McNemar's exact one for them. ``also_differs`` names what
    else is different between the runs, such as the device or the version of torch. ``fp32_runtime``
    is what computed the fp32 run; None in old records.
    """

    images: int
    different: int
    only_fp32_right: int
    only_this_right: int
    p_value: float
    also_differs: tuple[str, ...] = ()
    fp32_runtime: str | None = None


@dataclass(frozen=True)
class Times:
    """Seconds of one process. On a GPU, copying and computing overlap with the other parts.

    ``decode`` is the sum over the workers, which read and decode while the models run.
    """

    decode: float = 0.0
    """Reading and decoding images, summed over the decoding processes."""
    wait: float = 0.0
    """Waiting for decoded images."""
    copy: float = 0.0
    """Copying images to the device, and normalising them."""
    forward: float = 0.0
    """Running the models."""
    bookkeeping: float = 0.0
    """Storing predictions, and all else."""

    def __add__(self, other: "Times") -> "Times":
        names = [part.name for part in fields(self)]
        return Times(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Forward:
    """How long one model took for ``images`` of a pass: ``seconds``, summed over the processes.

    The first batch of each process is left out: in it, kernels are chosen or compiled.
    """

    images: int
    seconds: float

    def __add__(self, other: "Forward") -> "Forward":
        return Forward(self.images + other.images, self.seconds + other.seconds)

    @property
    def images_per_s(self) -> float:
        """The speed of one process."""
        return self.images / self.seconds


@dataclass(frozen=True)
class Fp32Speed:
    """The speed in fp32 that was on record of the same machine: of one process, in a runtime."""

    images_per_s: float
    runtime: str


@dataclass(frozen=True)
class Evidence:
    """The files that an accuracy can be counted from again (docs/evidence.md).

    ``file`` has the five first choices for each image, ``labels_file`` the images and their labels.
    Both are relative to the folder of the records.
    """

    schema: int
    file: str
    sha256: str
    labels_file: str
    labels_sha256: str


@dataclass(frozen=True)
class Accuracy:
    """Integer counts over a validation set.

    ``sha256`` is the checkpoint's, ``weights`` the kind of its weights that was scored, as in
    FileRecord. ``differs_from_fp32`` is None for fp32, and where no fp32 predictions were stored.

    ``batch_size`` is how many images at once the model computed, in the end: fewer than was asked
    for where it ran out of memory. ``processes`` has where the time of each process went, by rank.
    ``evidence`` is None in records that were written before it was kept, ``forward`` also where
    (nearly) all predictions were stored before. ``fp32_speed`` is for other precisions.
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
    differs_from_fp32: DifferenceFromFp32 | None = None
    batch_size: int | None = None
    processes: tuple[Times, ...] | None = None
    evidence: Evidence | None = None
    forward: Forward | None = None
    fp32_speed: Fp32Speed | None = None


@dataclass(frozen=True)
class Record:
    """What was measured of one model of a zoo; None for a section that was not.

    ``accuracy`` is in fp32. ``other_precisions`` has those in other precisions, by its name, and
    ``other_sets`` those in fp32 over other test sets, by key (``zoo.other_sets``).
    """

    zoo: str
    name: str
    checkpoint: FileRecord | None = None
    counts: Counts | None = None
    accuracy: Accuracy | None = None
    other_precisions: Mapping[str, Accuracy] | None = None
    other_sets: Mapping[str, Accuracy] | None = None

    @property
    def accuracies(self) -> dict[str, Accuracy]:
        """All of them by precision, fp32 first."""
        in_fp32 = {FP32: self.accuracy} if self.accuracy else {}
        return {**in_fp32, **(self.other_precisions or {})}


def with_accuracy(record: Record, accuracy: Accuracy) -> Record:
    """The record with this accuracy where its data set and its precision belong.

    An accuracy over another test set in another precision than fp32 is not kept.
    """
    precision, key = accuracy.numerics.precision, accuracy.data.other_set
    if key is not None:
        sets = {**(record.other_sets or {}), key: accuracy}
        return replace(record, other_sets=sets) if precision == FP32 else record
    if precision == FP32:
        return replace(record, accuracy=accuracy)
    others = {**(record.other_precisions or {}), precision: accuracy}
    return replace(record, other_precisions=others)


def merge(old: Record | None, new: Record) -> Record:
    """``new``, with the sections of ``old`` that ``new`` did not measure in full.

    An accuracy is kept only while it belongs to the same weights of the same file; one in another
    precision, or over another test set, also until it is measured again.
    """
    if old is None:
        return new
    checkpoint, counts, accuracy = new.checkpoint, new.counts, new.accuracy
    if not has_file(new) and has_file(old):
        checkpoint, counts = old.checkpoint, old.counts
    if accuracy is None and _belongs(old.accuracy, checkpoint):
        accuracy = old.accuracy
    return replace(
        new,
        checkpoint=checkpoint,
        counts=counts,
        accuracy=accuracy,
        other_precisions=_merged(old.other_precisions, new.other_precisions, checkpoint),
        other_sets=_merged(old.other_sets, new.other_sets, checkpoint),
    )


def _merged(
    old: Mapping[str, Accuracy] | None,
    new: Mapping[str, Accuracy] | None,
    checkpoint: FileRecord | None,
) -> Mapping[str, Accuracy] | None:
    kept = {key: one for key, one in (old or {}).items() if _belongs(one, checkpoint)}
    return {**kept, **(new or {})} or None


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
