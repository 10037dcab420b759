"""Writing a checkpoint's network as ONNX or OpenVINO IR, checked before it gets its name."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vanbench.checkpoints.load import Checkpoint, open_checkpoint
from vanbench.data.preprocess import normalize
from vanbench.devices import numerics
from vanbench.download.obtain import Sources, obtain
from vanbench.errors import ScoringError, VanbenchError
from vanbench.exported.file import ENDINGS, MOST, ExportedFile
from vanbench.exported.load import open_exported, prepare
from vanbench.exported.metadata import INSIDE, OUTSIDE, ExportMetadata, describe
from vanbench.files import replace
from vanbench.model.architecture import Architecture
from vanbench.model.build import architecture_of
from vanbench.model.expected_counts import expected_params
from vanbench.model.van import VAN
from vanbench.outside.safe_text import for_terminal
from vanbench.progress import Progress, silent
from vanbench.report import record_files
from vanbench.runtimes.choose import MOST_ERROR, relative_error
from vanbench.runtimes.interface import Runtime
from vanbench.runtimes.names import ONNXRUNTIME, OPENVINO
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.entries import Entry, EvaluationProtocol, Zoo

BATCHES = (1, 2, 5)
"""How many images the file computes at once when it is compared."""

_RUNTIMES = dict(zip(ENDINGS, (ONNXRUNTIME, OPENVINO), strict=True))
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class WrittenExport:
    """What was written: the files, and how far their logits are from the reference's.

    ``bytes`` and ``sha256`` are over all ``files``; ``file`` is what was read of them.
    ``relative_error`` is the largest difference of two logits as a part of the largest logit.
    """

    files: tuple[Path, ...]
    bytes: int
    metadata: ExportMetadata
    runtime: str
    relative_error: float
    images: int
    file: ExportedFile = field(repr=False)

    @property
    def path(self) -> Path:
        """The file that was asked for, which is the last one that got its name."""
        return self.files[-1]

    @property
    def opset(self) -> int | None:
        """The version of ONNX's operators in an ONNX file."""
        from vanbench.runtimes.onnx_graph import OPSET

        return OPSET if self.runtime == ONNXRUNTIME else None

    @property
    def output(self) -> str:
        """The name of the graph's output."""
        return self.file.outputs[0]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the files, as ``ExportedFile`` has it."""
        return self.file.sha256


def export(
    checkpoint: Checkpoint,
    target: Path,
    protocol: EvaluationProtocol,
    *,
    model: str = "",
    normalization: bool = False,
) -> WrittenExport:
    """Write a VAN to ``target``, whose name ends in ``.onnx`` or ``.xml``.

    ``normalization`` puts that of the protocol into the graph. ``model`` is the name for the
    metadata. The files get their names when ONNX's checker has accepted the graph, and when a
    runtime has computed the reference's logits from them: within MOST_ERROR, for each of BATCHES.
    Of an IR the weights get their name first, so that no ``.xml`` is without its ``.bin``.

    Raises DependencyError if a package is missing, and VanbenchError if a target exists, cannot be
    written, or differs from the reference.
    """
    runtime = _check(target)
    van = checkpoint.van
    architecture = architecture_of(van)
    _refuse_size(architecture, target)
    _refuse_head(architecture, protocol)
    metadata = describe(
        protocol,
        architecture,
        normalization=INSIDE if normalization else OUTSIDE,
        model=model,
        source_file=for_terminal(checkpoint.path.name),
        source_sha256=checkpoint.sha256,
        weights=checkpoint.weights,
        layer_norm_eps=checkpoint.layer_norm_eps,
    )
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vanbench-") as folder:
            fresh = _write(van, Path(folder) / target.name, metadata)
            file = open_exported(fresh[-1])
            error = largest_error(van, file, protocol)
            size = sum(path.stat().st_size for path in fresh)
            files = _give_names(fresh, target.parent)
    except OSError as failure:
        raise VanbenchError(
            f"cannot be written: {failure.strerror or failure}",
            where=target,
            remedy="Free disk space, or choose a folder that can be written.",
        ) from failure
    return WrittenExport(files, size, metadata, runtime.name, error, max(BATCHES), file)


def export_model(
    zoo: Zoo,
    entry: Entry,
    sources: Sources,
    results: Path,
    target: Path,
    *,
    weights: str | None = None,
    normalization: bool = False,
    progress: Progress = silent,
) -> tuple[Checkpoint, WrittenExport]:
    """Download the file of a zoo's model, and ``export`` it under the zoo's protocol."""
    _check(target)
    fetched = obtain(entry, sources, record_files.read(results, zoo.name, entry), progress)
    checkpoint = open_checkpoint(
        fetched.file,
        layer_norm_eps=entry.layer_norm_eps,
        weights=weights,
        declared=entry.architecture,
    )
    name = f"{zoo.name}/{entry.name}"
    protocol = entry.protocol
    return checkpoint, export(checkpoint, target, protocol, model=name, normalization=normalization)


def largest_error(van: VAN, file: ExportedFile, protocol: EvaluationProtocol) -> float:
    """The largest relative error of a file's logits; ScoringError if it is above MOST_ERROR.

    The images are random pixels, the same each time.
    """
    images = normalize(_pixels(max(BATCHES), protocol.center_crop), protocol)
    with numerics(_CPU, "fp32"), torch.inference_mode():
        expected = van(images)
        if not expected.isfinite().all():
            raise ScoringError(
                "expected finite logits, found NaN or infinity: the weights are damaged",
                where=file.path.name,
            )
        exported = prepare(file, protocol, file.runtimes[0])
        error = max(relative_error(exported.model(images[:n]), expected[:n]) for n in BATCHES)
    most = MOST_ERROR["fp32"]
    if not error <= most:
        raise ScoringError(
            f"expected the logits of the reference within {most:g} of the largest one, found "
            f"a difference of {error:.1e}; nothing was written",
            where=file.path.name,
            remedy="Rounding has a large effect in this network; vanbench validate measures the "
            "checkpoint itself.",
        )
    return error


def _pixels(count: int, side: int) -> Tensor:
    """Random pixels, uint8 (count, 3, side, side), the same each time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        256, (count, 3, side, side), dtype=torch.uint8, generator=generator, device="cpu"
    )


def _write(van: VAN, path: Path, metadata: ExportMetadata) -> tuple[Path, ...]:
    from vanbench.exported.onnx_file import write_onnx
    from vanbench.exported.openvino_files import write_openvino
    from vanbench.runtimes.onnx_graph import onnx_model

    protocol = metadata.protocol
    inside = protocol if metadata.normalization == INSIDE else None
    graph = onnx_model(van, protocol.center_crop, normalization=inside)
    write = write_onnx if path.suffix == ENDINGS[0] else write_openvino
    return write(path, graph, metadata)


def _give_names(fresh: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """Move complete files into a folder, all of them or none."""
    done: list[Path] = []
    try:
        for path in fresh:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        for path in fresh:
            replace(path, folder / path.name)
            done.append(folder / path.name)
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
        raise
    return tuple(done)


def _check(target: Path) -> Runtime:
    """The runtime for a file of this name; an error if it cannot be written here."""
    runtime = RUNTIMES[_RUNTIMES[target.suffix]]
    runtime.check(_CPU, "fp32")
    if not target.parent.is_dir():
        raise VanbenchError(
            "cannot be written: there is no such folder", where=target, remedy="Create the folder."
        )
    names = [target, *([target.with_suffix(".bin")] if target.suffix == ".xml" else [])]
    for path in names:
        if path.exists() or path.is_symlink():
            raise VanbenchError(
                "expected a new file, found one that exists already",
                where=path,
                remedy="Choose another name, or delete it first.",
            )
    return runtime


def _refuse_size(architecture: Architecture, target: Path) -> None:
    size = 4 * expected_params(architecture)[0]
    if size > 0.99 * MOST:
        raise VanbenchError(
            f"expected a network of less than 2 GiB, the limit of an ONNX file, found "
            f"{size / 2**30:.1f} GiB of weights",
            where=target,
        )


def _refuse_head(architecture: Architecture, protocol: EvaluationProtocol) -> None:
    wanted, found = len(protocol.class_ids), architecture.num_classes
    if found not in (0, wanted):
        raise ScoringError(
            f"expected a head of {wanted:,} classes, those of the protocol, found {found:,}",
            remedy="Give a --zoo file whose protocol has the classes (docs/own-model.md).",
        )
