"""What an exported file says of itself: its source, the protocol, the classes.

ONNX keeps texts by key (``metadata_props``), OpenVINO a tree of texts (``rt_info``). Both have the
fields of ``ExportMetadata``: texts as they are, everything else as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vanbench._version import __version__
from vanbench.errors import CheckpointError, ZooError
from vanbench.model.architecture import Architecture, ArchitectureDict
from vanbench.outside.json_text import parse_json
from vanbench.typed_json import from_json, to_json
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.sections import read_protocol
from vanbench.zoo.toml_table import Table

PREFIX = "vanbench"
FORMAT = 1
"""Raised by one when a reader of the older metadata would misunderstand the newer."""

INSIDE, OUTSIDE = "inside", "outside"
AGAIN = "Export it again with vanbench export."
_LONGEST = 10_000_000  # characters of all texts; 100,000 class ids have less


@dataclass(frozen=True)
class ExportMetadata:
    """The origin of an exported file, and how its images are prepared.

    ``model`` is the name in the zoo, ZOO/ARCH.TAG, or empty for a file of one's own. ``source_*``
    and ``weights`` (``plain`` or ``ema``) are those of the checkpoint. ``normalization`` says where
    it is done: ``inside`` the graph, whose input is uint8 (N, H, W, 3) then, or ``outside``, before
    the graph, whose input is float32 (N, 3, H, W) then. ``class_ids`` are in the order of the
    logits; there are none without a head.
    """

    format: int
    vanbench_version: str
    model: str
    source_file: str
    source_sha256: str
    weights: str
    layer_norm_eps: float
    architecture: ArchitectureDict
    protocol: EvaluationProtocol
    preprocessing: str
    normalization: str
    class_ids: tuple[str, ...]


def describe(
    protocol: EvaluationProtocol,
    architecture: Architecture,
    *,
    normalization: str,
    **origin: Any,
) -> ExportMetadata:
    """The metadata of a file that this version writes; ``origin`` has the fields of the source."""
    return ExportMetadata(
        format=FORMAT,
        vanbench_version=__version__,
        architecture=architecture.as_dict(),
        protocol=protocol,
        preprocessing=protocol.describe(),
        normalization=normalization,
        class_ids=protocol.class_ids if architecture.num_classes else (),
        **origin,
    )


def as_texts(metadata: ExportMetadata) -> dict[str, str]:
    """Each field as a text."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in to_json(metadata).items()
    }


def from_texts(texts: Mapping[str, str], path: Path) -> ExportMetadata | None:
    """The metadata that texts say; None if there are none, CheckpointError if they are unsound."""
    if not texts:
        return None
    if sum(map(len, texts.values())) > _LONGEST:
        problem = f"expected at most {_LONGEST:,} characters of metadata"
        raise CheckpointError(problem, where=path, remedy=AGAIN)
    names = {field.name: field.type for field in fields(ExportMetadata)}
    document: dict[str, Any] = {
        key: text
        if names.get(key) is str
        else parse_json(text, where=path, error=CheckpointError, what=f"metadata ({key})")
        for key, text in texts.items()
        if key in names
    }
    if type(document.get("format")) is int and document["format"] > FORMAT:
        problem = f"its metadata have format {document['format']}, and this version reads {FORMAT}"
        remedy = f"Install the version of vanbench that wrote it, or a newer one. {AGAIN}"
        raise CheckpointError(problem, where=path, remedy=remedy)
    try:
        return _checked(from_json(ExportMetadata, json.dumps(document)))
    except (ValueError, ZooError) as error:
        place = f"{error.where}: " if isinstance(error, ZooError) else ""
        problem = f"not readable metadata: {place}{error.args[0]}"
        raise CheckpointError(problem, where=path, remedy=AGAIN) from error


def _checked(found: ExportMetadata) -> ExportMetadata:
    """The metadata, if what they say is possible and fits together; else ValueError, ZooError."""
    document = to_json(found.protocol)
    read_protocol(Table(Path("metadata"), "protocol", document), EvaluationProtocol())
    if found.normalization not in (INSIDE, OUTSIDE):
        raise ValueError(f"expected normalization inside or outside, found {found.normalization!r}")
    architecture = Architecture.from_dict(dict(found.architecture))
    expected = found.protocol.class_ids if architecture.num_classes else ()
    if found.class_ids != expected or len(expected) != architecture.num_classes:
        raise ValueError("expected the class ids of the protocol, as many as the head has classes")
    return found
