"""Exported files as models: opened, checked, ready to compute logits of normalised images."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vanbench.checkpoints.guard import guarded
from vanbench.checkpoints.weights import PLAIN
from vanbench.errors import CheckpointError, DependencyError, DeviceError, ScoringError
from vanbench.exported.file import ENDINGS, ExportedFile
from vanbench.exported.metadata import INSIDE
from vanbench.outside.safe_text import for_terminal
from vanbench.runtimes.names import ONNXRUNTIME
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.entries import EvaluationProtocol

EXTRAS = {".onnx": "onnx", ".xml": "openvino"}
"""The extra of vanbench that installs what a file with this ending needs."""


PRECISIONS = ("fp32", "bf16", "fp16")
"""Those that leave a graph as it is; int8 would make another one."""


def is_exported(path: Path) -> bool:
    """Whether a file is one of another format than a checkpoint, by its name."""
    return path.suffix.lower() in ENDINGS


def open_exported(path: Path, *, weights: str | None = None) -> ExportedFile:
    """Read a file that ``is_exported``, with the files that belong to it.

    Raises CheckpointError if it cannot be read, is not a network, or is not known to have the
    ``weights`` asked for, and DependencyError if the packages that read it are not installed.
    """
    file = _read(path)
    found = file.metadata.weights if file.metadata else None
    if weights not in (None, found):
        raise CheckpointError(
            f"expected {weights} weights, found {found or 'a file that does not say which'}",
            where=path,
            remedy="Leave out --weights: an exported file has one kind.",
        )
    return file


def _read(path: Path) -> ExportedFile:
    ending = path.suffix.lower()
    needed = ("onnx",) if ending == ".onnx" else ("onnx", "openvino")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise DependencyError(
            f"files {ending} need {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed",
            remedy=f"Install it with: pip install 'vanbench[{EXTRAS[ending]}]'",
        )
    with guarded(path):
        if ending == ".onnx":
            from vanbench.exported.onnx_file import read_onnx

            return read_onnx(path)
        from vanbench.exported.openvino_files import read_openvino

        return read_openvino(path)


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported file whose ``model`` maps normalised float32 (N, 3, crop, crop) to logits.

    ``weights`` and ``layer_norm_eps`` are those that its metadata name; None: nothing says it.
    ``precision`` is the file's own, or the one asked for where that is another than fp32.
    """

    path: Path
    sha256: str
    num_classes: int
    model: nn.Module = field(repr=False)
    runtime: str
    weights: str = PLAIN
    layer_norm_eps: float | None = None
    precision: str = "fp32"


def prepare(
    file: ExportedFile,
    protocol: EvaluationProtocol,
    name: str,
    precision: str = "fp32",
) -> Exported:
    """The file in the runtime of this name, which computes one image to see what comes.

    Raises CheckpointError or ScoringError if it does not compute logits of the protocol's crops,
    and DeviceError for a runtime that cannot run it.
    """
    if name not in file.runtimes:
        raise DeviceError(
            f"expected a file that the runtime {name} can run, found {file.path.suffix}",
            where=file.path,
            remedy=f"Use --runtime {' or '.join(file.runtimes)}.",
        )
    if precision not in PRECISIONS:
        raise DeviceError(
            f"expected a precision in which a graph computes as it is, found {precision}",
            where=file.path,
            remedy=f"Use --precision {', '.join(PRECISIONS)}; int8 is for checkpoints.",
        )
    RUNTIMES[name].check(torch.device("cpu"), precision)
    takes = file.image_input(protocol)
    inside = file.metadata is not None and file.metadata.normalization == INSIDE
    crop = protocol.center_crop
    with guarded(file.path):
        if name == ONNXRUNTIME:
            module = _onnx_runtime(file, takes.batch)
        else:
            module = _open_vino(file, takes.batch, inside, crop, precision)
        model = ExportedModel(
            module, file.path, takes.kind, takes.batch, protocol if inside else None
        )
        logits = model(torch.zeros(1, 3, crop, crop))
    found = file.metadata
    headless = found is not None and found.architecture["num_classes"] == 0
    return Exported(
        path=file.path,
        sha256=file.sha256,
        num_classes=0 if headless else logits.shape[1],
        model=model,
        runtime=name,
        weights=found.weights if found else PLAIN,
        layer_norm_eps=found.layer_norm_eps if found else None,
        precision=file.precision if precision == "fp32" else precision,
    )


class ExportedModel(nn.Module):
    """A graph of a runtime, for normalised images float32 (N, 3, H, W), any N; float32 logits.

    ``pixels`` is the protocol whose normalisation is inside the graph: then the graph gets the
    pixels from which the images were made, exactly.
    """

    def __init__(
        self,
        graph: nn.Module,
        path: Path,
        kind: str,
        batch: int | None,
        pixels: EvaluationProtocol | None,
    ):
        super().__init__()
        self.graph, self.path, self.batch, self.pixels = graph, path, batch, pixels
        self.kind: torch.dtype = getattr(torch, kind)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        images = x.to(self.kind) if self.pixels is None else pixels_of(x, self.pixels)
        missing = -len(x) % (self.batch or 1)
        if missing:
            images = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        try:
            logits: Tensor = self.graph(images)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            lines = str(error).strip().splitlines() or ["no reason given"]
            raise ScoringError(
                f"its graph cannot be computed for {len(images)} images: "
                f"{for_terminal(lines[-1], most=200)}",
                where=self.path,
                remedy="Export it again, with a batch of any size.",
            ) from error
        if logits.ndim != 2 or len(logits) != len(images):
            raise ScoringError(
                f"expected logits ({len(images)}, classes), found {tuple(logits.shape)}",
                where=self.path,
            )
        return logits[: len(x)].float()


def pixels_of(x: Tensor, protocol: EvaluationProtocol) -> Tensor:
    """The pixels uint8 (N, H, W, 3) of normalised images float32 (N, 3, H, W).

    The inverse of ``data.preprocess.normalize``, exactly: its error is far below half a step.
    """
    mean, std = (
        torch.tensor(values, dtype=torch.float32).reshape(3, 1, 1)
        for values in (protocol.mean, protocol.std)
    )
    return (x * std + mean).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _onnx_runtime(file: ExportedFile, batch: int | None) -> nn.Module:
    from vanbench.runtimes.onnx_runtime import OnnxSessions

    return OnnxSessions(file.graph[0], batch)


def _open_vino(
    file: ExportedFile, batch: int | None, inside: bool, crop: int, precision: str
) -> nn.Module:
    from vanbench.exported.openvino_files import read_graph
    from vanbench.runtimes.open_vino import TYPES, OpenVinoRequests

    graph: Any = read_graph(*file.graph, path=file.path)
    sides = (crop, crop, 3) if inside else (3, crop, crop)
    graph.reshape([batch or -1, *sides])
    return OpenVinoRequests(graph, TYPES[precision], batch or 1)
