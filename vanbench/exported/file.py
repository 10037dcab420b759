"""An exported file as it was read: its graph, and what the graph takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vanbench.errors import CheckpointError, ScoringError
from vanbench.exported.metadata import INSIDE, ExportMetadata
from vanbench.outside.safe_text import shorten
from vanbench.zoo.entries import EvaluationProtocol

ENDINGS = (".onnx", ".xml")
MOST = (1 << 31) - 1  # bytes of a graph with its weights; protobuf has no more
REMEDY = "Export the network alone: one input of images (N, 3, H, W), one output of logits."


@dataclass(frozen=True)
class ImageInput:
    """An input of a graph: name, type (``float32``, ``uint8``, …), shape; None: of any size."""

    name: str
    kind: str
    shape: tuple[int | None, ...]

    @property
    def batch(self) -> int | None:
        """How many images the graph takes at once; None: any number."""
        return self.shape[0]

    def __str__(self) -> str:
        sides = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{self.kind} ({sides})"


@dataclass(frozen=True, eq=False)
class ExportedFile:
    """A graph of another format, read once.

    ``sha256`` is over the files one after the other: of ``NAME.onnx`` and its files of external
    data, in the order of their names; of ``NAME.xml`` and ``NAME.bin``. ``graph`` is the whole
    graph: an ONNX model with all data inside, or the two files of OpenVINO. ``inputs`` are those
    that have no value in the file, ``outputs`` are names. ``runtimes`` can compute it, the usual
    one first. ``precision`` is ``int8`` for a quantised graph and ``fp16`` for one with float16
    weights, whatever a runtime computes in.
    """

    path: Path
    sha256: str
    runtimes: tuple[str, ...]
    graph: tuple[bytes, ...] = field(repr=False)
    inputs: tuple[ImageInput, ...]
    outputs: tuple[str, ...]
    metadata: ExportMetadata | None = field(repr=False)
    precision: str = "fp32"

    def image_input(self, protocol: EvaluationProtocol) -> ImageInput:
        """The input, if it takes the crops of a protocol; else CheckpointError, ScoringError."""
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise CheckpointError(
                f"expected one input and one output, found {len(self.inputs)} and "
                f"{len(self.outputs)}",
                where=self.path,
                remedy=REMEDY,
            )
        (found,) = self.inputs
        pixels = self.metadata is not None and self.metadata.normalization == INSIDE
        kinds = ("uint8",) if pixels else ("float32", "float16")
        channels = 3 if pixels else 1
        if (
            len(found.shape) != 4
            or found.kind not in kinds
            or found.shape[channels] not in (3, None)
            or found.batch == 0
        ):
            layout = "(N, H, W, 3)" if pixels else "(N, 3, H, W)"
            raise CheckpointError(
                f"expected an input of {' or '.join(kinds)} {layout}, found {found}",
                where=self.path,
                remedy=REMEDY,
            )
        crop = protocol.center_crop
        sides = found.shape[1:3] if pixels else found.shape[2:]
        if any(side not in (crop, None) for side in sides):
            raise ScoringError(
                f"expected images of {crop}×{crop}, the crop of the protocol, found an input of "
                f"{shorten(sides[0])}×{shorten(sides[1])}",
                where=self.path,
                remedy="Give a --zoo whose protocol has this crop, or export it for this size.",
            )
        return found


def grouped(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The texts whose key is PREFIX.KEY, by KEY.

    >>> grouped({"a.b": "c", "d": "e"}, "a")
    {'b': 'c'}
    """
    start = f"{prefix}."
    return {k.removeprefix(start): text for k, text in texts.items() if k.startswith(start)}
