"""``vanbench export``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.checkpoints.weights import WEIGHTS
from vanbench.cli.model_names import select_one
from vanbench.cli.options import (
    Settings,
    common_options,
    model_argument,
    option,
    source_options,
)
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import next_command, size_of
from vanbench.evaluation.result_json import ProtocolJson
from vanbench.model.architecture import ArchitectureDict
from vanbench.typed_json import to_json

if TYPE_CHECKING:
    from vanbench.checkpoints.load import Checkpoint
    from vanbench.exported.write import WrittenExport

EXAMPLES = """\b
Examples:
  vanbench export van_b0 van_b0.onnx
  vanbench export van_b0 van_b0.xml
  vanbench export van_b0 van_b0_uint8.onnx --with-normalization
  vanbench export --checkpoint my_van.pth mine.onnx
"""

FORMATS = {".onnx": "ONNX", ".xml": "OpenVINO IR"}


class InputJson(TypedDict):
    """What the graph takes."""

    name: str
    """The name of the input."""
    type: str
    """``float32`` for normalised images, ``uint8`` for pixels."""
    shape: list[int | None]
    """(N, 3, H, W) of float32, (N, H, W, 3) of uint8; null for N, which may be any number."""


class ExportJson(TypedDict):
    """One exported model."""

    name: str
    """The name of the model in the zoo, or of the file."""
    path: str
    """The file that was asked for."""
    files: list[str]
    """All files that were written: an IR has its weights in a second one."""
    bytes: int
    """The size of all files in bytes."""
    sha256: str
    """The SHA-256 over the files: of an IR, of the .xml followed by the .bin."""
    format: str
    """``ONNX`` or ``OpenVINO IR``."""
    opset: int | None
    """The version of ONNX's operators; null for an IR."""
    input: InputJson
    """The one input of the graph."""
    output: str
    """The name of the one output: ``logits``, or ``features`` of a network without a head."""
    architecture: ArchitectureDict
    """The network."""
    source_sha256: str
    """The SHA-256 of the checkpoint."""
    weights: str
    """Which weights of the checkpoint: ``plain`` or ``ema``."""
    layer_norm_eps: float
    """The epsilon of the LayerNorms."""
    protocol: ProtocolJson
    """How an image becomes the input."""
    normalization: str
    """Where normalisation is done: ``inside`` the graph or ``outside``, before it."""
    runtime: str
    """The runtime that computed the logits from the written file."""
    max_relative_error: float
    """The largest difference from the reference's logits, as a part of the largest logit."""
    compared_images: int
    """How many random images were compared."""


class Document(TypedDict):
    """What was exported."""

    models: list[ExportJson]
    """The model."""


@click.command(epilog=EXAMPLES)
@common_options
@model_argument(nargs=-1, metavar="[MODEL]")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of one's own; its architecture is read from its tensors.",
)
@option(
    "--with-normalization",
    is_flag=True,
    help="Normalise inside the graph: it takes pixels, uint8 RGB (N, H, W, 3).",
)
@option(
    "--weights",
    type=click.Choice(WEIGHTS),
    help="Plain or averaged (EMA) weights of a training checkpoint.  [default: those that its "
    "framework loads for inference]",
)
@source_options
def command(
    settings: Settings,
    model: tuple[str, ...],
    file: Path,
    checkpoint: Path | None,
    with_normalization: bool,
    weights: str | None,
    mirrors: tuple[str, ...],
    offline: bool,
) -> None:
    """Write a model as ONNX or OpenVINO IR.

    FILE ends in .onnx, or in .xml for OpenVINO, whose weights are in a .bin beside it. The batch
    may have any size. The file gets its name after a runtime has computed the reference's logits
    from it; its metadata say what it was made from, and how images are prepared. The same model
    gives the same bytes. An existing file is never overwritten.
    """
    if file.suffix not in FORMATS:
        raise click.UsageError(
            f"{file}: expected a name that ends in .onnx, or in .xml for OpenVINO."
        )
    if len(model) + (checkpoint is not None) != 1:
        raise click.UsageError("Give one MODEL of the zoo, or --checkpoint, and then FILE.")
    from vanbench.checkpoints.load import open_checkpoint
    from vanbench.download.obtain import Sources
    from vanbench.exported.write import export, export_model

    if checkpoint:
        name = checkpoint.name
        source = open_checkpoint(checkpoint, weights=weights)
        protocol = settings.zoo.entries[0].protocol
        written = export(source, file, protocol, normalization=with_normalization)
    else:
        entry = select_one(settings.zoo, model[0])
        name = entry.name
        source, written = export_model(
            settings.zoo,
            entry,
            Sources(settings.cache, mirrors, offline),
            settings.results,
            file,
            weights=weights,
            normalization=with_normalization,
            progress=settings.progress,
        )
    _warn(settings, source)
    if settings.as_json:
        document: Document = {"models": [_document(name, written)]}
        print_json(**document)
    else:
        _print(written)


def _warn(settings: Settings, source: "Checkpoint") -> None:
    if source.choice:
        settings.say(f"{source.path}: {source.choice}.")
    for sentence in source.suspicious:
        echo(f"Warning: {source.path}: {sentence}.", err=True)


def _document(name: str, written: "WrittenExport") -> ExportJson:
    metadata, (image,) = written.metadata, written.file.inputs
    return {
        "name": name,
        "path": str(written.path),
        "files": [str(path) for path in written.files],
        "bytes": written.bytes,
        "sha256": written.sha256,
        "format": FORMATS[written.path.suffix],
        "opset": written.opset,
        "input": {"name": image.name, "type": image.kind, "shape": list(image.shape)},
        "output": written.output,
        "architecture": metadata.architecture,
        "source_sha256": metadata.source_sha256,
        "weights": metadata.weights,
        "layer_norm_eps": metadata.layer_norm_eps,
        "protocol": to_json(metadata.protocol),
        "normalization": metadata.normalization,
        "runtime": written.runtime,
        "max_relative_error": written.relative_error,
        "compared_images": written.images,
    }


def _print(written: "WrittenExport") -> None:
    (image,), metadata = written.file.inputs, written.metadata
    for path in written.files:
        echo(f"File: {path}", wrap=False)
    echo(f"SHA-256: {written.sha256}")
    opset = f", opset {written.opset}" if written.opset else ""
    echo(f"{FORMATS[written.path.suffix]}{opset}, {size_of(written.bytes)}.")
    echo(f"Input: {image.name}, {image}.")
    echo(
        f"Protocol: {metadata.preprocessing}. Normalisation is {metadata.normalization} the graph."
    )
    echo(
        f"Checked: {written.runtime} computes the reference's logits from it, with differences of "
        f"at most {written.relative_error:.1g} of the largest one."
    )
    step = next_command("validate", "--checkpoint", str(written.path), "--data", "PATH")
    echo(f"Next: {step}", wrap=False)
