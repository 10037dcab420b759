"""ONNX files: reading one with its external data, and writing one."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from vanbench.errors import CheckpointError
from vanbench.exported.file import MOST, ExportedFile, ImageInput, grouped
from vanbench.exported.metadata import PREFIX, ExportMetadata, as_texts, from_texts
from vanbench.file_types import HEAD_BYTES, describe_bytes
from vanbench.outside.files import read_bytes
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.runtimes.names import ONNXRUNTIME, OPENVINO

COMPLETE = "Copy the file together with the files of its external data."
QUANTISING = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger")
CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
_KINDS = {"FLOAT": "float32", "FLOAT16": "float16", "DOUBLE": "float64"}


def read_onnx(path: Path) -> ExportedFile:
    """Read a file and its external data; CheckpointError if it is not a network in ONNX."""
    content = read_bytes(path, most=MOST, error=CheckpointError)
    digest = hashlib.sha256(content)
    model = _parsed(content, path)
    for node in _parts(model, onnx.NodeProto):
        if node.op_type in CONTROL_FLOW:
            raise CheckpointError(
                f"expected a network without control flow, found the operation {node.op_type}",
                where=path,
            )
    if external := _external_tensors(model):
        files = _read_external(path, {location for _, location in external}, MOST - len(content))
        for location in sorted(files):
            digest.update(files[location])
        _put_inside(external, files, path)
        if model.ByteSize() > MOST:
            raise CheckpointError(f"expected at most {MOST:,} bytes of weights", where=path)
        content = model.SerializeToString()
    given = {tensor.name for tensor in model.graph.initializer}
    return ExportedFile(
        path=path,
        sha256=digest.hexdigest(),
        runtimes=(ONNXRUNTIME, OPENVINO),
        graph=(content,),
        inputs=tuple(_input(i) for i in model.graph.input if i.name not in given),
        outputs=tuple(value.name for value in model.graph.output),
        metadata=from_texts(
            grouped({entry.key: entry.value for entry in model.metadata_props}, PREFIX), path
        ),
        precision=_precision(model),
    )


def _precision(model: onnx.ModelProto) -> str:
    if any(node.op_type in QUANTISING for node in model.graph.node):
        return "int8"
    half = onnx.TensorProto.FLOAT16
    return "fp16" if any(t.data_type == half for t in model.graph.initializer) else "fp32"


def _parsed(content: bytes, path: Path) -> onnx.ModelProto:
    """The model in these bytes; CheckpointError if they are none."""
    try:
        model = onnx.load_model_from_string(content)
    except MemoryError:
        raise
    except Exception:  # DecodeError of protobuf, which is a package of onnx's own choice
        model = None
    if model is None or not model.graph.node:
        raise CheckpointError(
            f"expected an ONNX file, found {describe_bytes(content[:HEAD_BYTES])}",
            where=path,
            remedy="It may be incomplete: copy it again, or export it again.",
        )
    return model


def _parts(message: Any, kind: Any) -> Iterator[Any]:
    """All messages of a kind inside another one, wherever they are."""
    if isinstance(message, kind):
        yield message
    for description, value in message.ListFields():
        if description.message_type is not None:
            inner = [value] if hasattr(value, "ListFields") else value
            for one in inner:
                yield from _parts(one, kind)


def _external_tensors(model: onnx.ModelProto) -> list[tuple[Any, str]]:
    """The tensors whose data are in other files, with the name of the file."""
    external = onnx.TensorProto.EXTERNAL
    tensors = [t for t in _parts(model, onnx.TensorProto) if t.data_location == external]
    return [(tensor, _entries(tensor).get("location", "")) for tensor in tensors]


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _read_external(path: Path, locations: set[str], most: int) -> dict[str, bytes]:
    """The content of each file of external data, which lies in the folder of the ONNX file."""
    folders = {os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))}
    found: dict[str, bytes] = {}
    for location in locations:
        file = path.parent / location
        inside = location and not os.path.isabs(location) and "\0" not in location
        if not inside or os.path.dirname(os.path.realpath(file)) not in folders:
            raise CheckpointError(
                f"expected external data in the folder of the file, found {shorten(location)}",
                where=path,
                remedy="Export it again, with all files in one folder.",
            )
        found[location] = read_bytes(file, most=most, error=CheckpointError, remedy=COMPLETE)
        most -= len(found[location])
    return found


def _put_inside(external: list[tuple[Any, str]], files: dict[str, bytes], path: Path) -> None:
    """Put the data of other files into the tensors."""
    room = MOST
    for tensor, location in external:
        entries, data = _entries(tensor), files[location]
        try:
            offset = int(entries.get("offset", "0"))
            length = int(entries.get("length", len(data) - offset))
        except ValueError:
            offset = length = -1
        if offset < 0 or length < 0 or offset + length > len(data) or length > room:
            raise CheckpointError(
                f"expected the data of {shorten(tensor.name)} in {shorten(location)}, found "
                f"{len(data):,} bytes and other limits",
                where=path,
                remedy=COMPLETE,
            )
        room -= length
        tensor.raw_data = data[offset : offset + length]
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _input(value: Any) -> ImageInput:
    tensor = value.type.tensor_type
    name = onnx.TensorProto.DataType.Name(tensor.elem_type)
    shape = tuple(
        side.dim_value if side.HasField("dim_value") and side.dim_value >= 0 else None
        for side in tensor.shape.dim
    )
    return ImageInput(value.name, _KINDS.get(name, for_terminal(name.lower())), shape)


def write_onnx(path: Path, model: onnx.ModelProto, metadata: ExportMetadata) -> tuple[Path, ...]:
    """Write a model with its metadata; the file, which ONNX's checker has accepted."""
    for key, text in as_texts(metadata).items():
        model.metadata_props.add(key=f"{PREFIX}.{key}", value=text)
    content = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(content, full_check=True)
    path.write_bytes(content)
    return (path,)
