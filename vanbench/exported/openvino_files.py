"""OpenVINO's IR: a graph in ``NAME.xml``, its weights in ``NAME.bin``."""

import hashlib
from pathlib import Path
from typing import Any

import onnx

from vanbench.errors import CheckpointError
from vanbench.exported.file import MOST, ExportedFile, ImageInput
from vanbench.exported.metadata import PREFIX, ExportMetadata, as_texts, from_texts
from vanbench.file_types import HEAD_BYTES, describe_bytes
from vanbench.outside.files import read_bytes
from vanbench.outside.safe_text import for_terminal
from vanbench.runtimes.names import OPENVINO
from vanbench.runtimes.open_vino import core, without_telemetry

CONTROL_FLOW = ("If", "Loop", "TensorIterator")
_MOST_XML = 64 << 20  # bytes of a graph without its weights; that of VAN-B6 has 6 MB
_KINDS = {"f32": "float32", "f16": "float16", "u8": "uint8", "f64": "float64"}


def read_openvino(path: Path) -> ExportedFile:
    """Read both files; CheckpointError if they are not a network in OpenVINO's IR."""
    xml = read_bytes(path, most=_MOST_XML, error=CheckpointError)
    if b"<net" not in xml[:HEAD_BYTES]:
        raise CheckpointError(
            f"expected a network of OpenVINO, found {describe_bytes(xml[:HEAD_BYTES])}", where=path
        )
    remedy = f"Copy both files, {for_terminal(path.name)} and its .bin, into the same folder."
    weights = read_bytes(path.with_suffix(".bin"), most=MOST, error=CheckpointError, remedy=remedy)
    model = read_graph(xml, weights, path=path)
    for operation in model.get_ops():
        if (name := operation.get_type_name()) in CONTROL_FLOW:
            raise CheckpointError(
                f"expected a network without control flow, found the operation {name}", where=path
            )
    return ExportedFile(
        path=path,
        sha256=hashlib.sha256(xml + weights).hexdigest(),
        runtimes=(OPENVINO,),
        graph=(xml, weights),
        inputs=tuple(_input(one) for one in model.inputs),
        outputs=tuple(map(_name, model.outputs)),
        metadata=from_texts(_texts(model), path),
        precision=_precision(model),
    )


def _precision(model: Any) -> str:
    operations = model.get_ops()
    if any(operation.get_type_name() == "FakeQuantize" for operation in operations):
        return "int8"
    constants = [each for each in operations if each.get_type_name() == "Constant"]
    half = any(each.get_element_type().get_type_name() == "f16" for each in constants)
    return "fp16" if half else "fp32"


def read_graph(*graph: bytes, path: Path) -> Any:
    """OpenVINO's model of an ONNX model, or of the two files of an IR; else CheckpointError."""
    try:
        return core().read_model(*graph)
    except RuntimeError as error:
        reason = for_terminal(
            (str(error).strip().splitlines() or ["no reason given"])[-1], most=200
        )
        raise CheckpointError(
            f"OpenVINO cannot read it: {reason}",
            where=path,
            remedy="It may be incomplete: copy it again, or export it again.",
        ) from error


def write_openvino(
    path: Path, model: onnx.ModelProto, metadata: ExportMetadata
) -> tuple[Path, ...]:
    """Write an ONNX model as an IR; the two files, that of the weights first.

    The same model gives the same files. The operations that OpenVINO makes of one of ONNX get names
    by their place, instead of by how many were made before in this process.
    """
    graph = core().read_model(model.SerializeToString())
    known = {node.name for node in model.graph.node}
    known |= {value.name for part in ("initializer", "input", "output")
              for value in getattr(model.graph, part)}  # fmt: skip
    for number, operation in enumerate(graph.get_ordered_ops()):
        if operation.get_friendly_name() not in known:
            operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    graph.set_friendly_name(model.graph.name)
    for key, text in as_texts(metadata).items():
        graph.set_rt_info(text, [PREFIX, key])
    without_telemetry().save_model(graph, path, compress_to_fp16=False)
    return path.with_suffix(".bin"), path


def _texts(model: Any) -> dict[str, str]:
    """The texts of the metadata; none where there are no metadata."""
    if not model.has_rt_info([PREFIX]):
        return {}
    found = model.get_rt_info([PREFIX]).value
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _input(one: Any) -> ImageInput:
    name = one.get_element_type().get_type_name()
    shape = one.get_partial_shape()
    if shape.rank.is_dynamic:
        return ImageInput(_name(one), _KINDS.get(name, name), ())
    sides = tuple(side.get_length() if side.is_static else None for side in shape)
    return ImageInput(_name(one), _KINDS.get(name, name), sides)


def _name(port: Any) -> str:
    """A name of an input or output, which may have several or none."""
    return min(port.get_names(), default="")
