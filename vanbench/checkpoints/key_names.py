"""Key names: the naming schemes of VAN checkpoints as parallel tables, and one walk over them.

Each format lists its prefix for every part of the network, in the order of ``NATIVE_PARTS``, the
prefixes of the reference model itself. ``{s}`` is the stage counted from 0, ``{S}`` the same from
1, ``{b}`` the block.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from vanbench.errors import CheckpointError
from vanbench.outside.safe_text import for_terminal

_BLOCK = "stages.{s}.blocks.{b}."
NATIVE_PARTS = (
    "stages.{s}.patch_embed.conv",
    "stages.{s}.patch_embed.norm",
    _BLOCK + "norm1",
    _BLOCK + "attention.proj_in",
    _BLOCK + "attention.lka.depthwise",
    _BLOCK + "attention.lka.depthwise_dilated",
    _BLOCK + "attention.lka.pointwise",
    _BLOCK + "attention.proj_out",
    _BLOCK + "layer_scale1",
    _BLOCK + "norm2",
    _BLOCK + "mlp.fc1",
    _BLOCK + "mlp.depthwise",
    _BLOCK + "mlp.fc2",
    _BLOCK + "layer_scale2",
    "stages.{s}.norm",
    "head",
)


@dataclass(frozen=True)
class Format:
    """One naming scheme. ``layer_norm_eps`` is what the code that uses it has; no file stores it.

    ``ignored`` are prefixes of tensors that the format carries and its forward never uses.
    """

    name: str
    layer_norm_eps: float
    parts: tuple[str, ...]
    ignored: tuple[str, ...] = ()


OPENMMLAB = Format(
    "openmmlab",
    1e-5,
    (
        "backbone.patch_embed{S}.projection",
        "backbone.patch_embed{S}.norm",
        "backbone.blocks{S}.{b}.norm1",
        "backbone.blocks{S}.{b}.attn.proj_1",
        "backbone.blocks{S}.{b}.attn.spatial_gating_unit.DW_conv",
        "backbone.blocks{S}.{b}.attn.spatial_gating_unit.DW_D_conv",
        "backbone.blocks{S}.{b}.attn.spatial_gating_unit.conv1",
        "backbone.blocks{S}.{b}.attn.proj_2",
        "backbone.blocks{S}.{b}.layer_scale_1",
        "backbone.blocks{S}.{b}.norm2",
        "backbone.blocks{S}.{b}.mlp.fc1",
        "backbone.blocks{S}.{b}.mlp.dwconv",
        "backbone.blocks{S}.{b}.mlp.fc2",
        "backbone.blocks{S}.{b}.layer_scale_2",
        "backbone.norm{S}",
        "head.fc",
    ),
)

OFFICIAL = Format(
    "official",
    1e-6,
    (
        "patch_embed{S}.proj",
        "patch_embed{S}.norm",
        "block{S}.{b}.norm1",
        "block{S}.{b}.attn.proj_1",
        "block{S}.{b}.attn.spatial_gating_unit.conv0",
        "block{S}.{b}.attn.spatial_gating_unit.conv_spatial",
        "block{S}.{b}.attn.spatial_gating_unit.conv1",
        "block{S}.{b}.attn.proj_2",
        "block{S}.{b}.layer_scale_1",
        "block{S}.{b}.norm2",
        "block{S}.{b}.mlp.fc1",
        "block{S}.{b}.mlp.dwconv.dwconv",
        "block{S}.{b}.mlp.fc2",
        "block{S}.{b}.layer_scale_2",
        "norm{S}",
        "head",
    ),
)

TRANSFORMERS = Format(
    "transformers",
    1e-6,
    (
        "van.encoder.stages.{s}.embeddings.convolution",
        "van.encoder.stages.{s}.embeddings.normalization",
        "van.encoder.stages.{s}.layers.{b}.pre_normomalization",
        "van.encoder.stages.{s}.layers.{b}.attention.pre_projection.conv",
        "van.encoder.stages.{s}.layers.{b}.attention.attention_layer.attention.depth_wise",
        "van.encoder.stages.{s}.layers.{b}.attention.attention_layer.attention.depth_wise_dilated",
        "van.encoder.stages.{s}.layers.{b}.attention.attention_layer.attention.point_wise",
        "van.encoder.stages.{s}.layers.{b}.attention.post_projection",
        "van.encoder.stages.{s}.layers.{b}.attention_scaling.weight",
        "van.encoder.stages.{s}.layers.{b}.post_normalization",
        "van.encoder.stages.{s}.layers.{b}.mlp.in_dense",
        "van.encoder.stages.{s}.layers.{b}.mlp.depth_wise",
        "van.encoder.stages.{s}.layers.{b}.mlp.out_dense",
        "van.encoder.stages.{s}.layers.{b}.mlp_scaling.weight",
        "van.encoder.stages.{s}.normalization",
        "classifier",
    ),
    ignored=("van.layernorm",),
)

NATIVE = Format("vanbench", 1e-5, NATIVE_PARTS)

FORMATS = (OPENMMLAB, OFFICIAL, TRANSFORMERS, NATIVE)


def detect(keys: Iterable[str]) -> Format:
    """The format that knows most of ``keys``; CheckpointError when none knows half of them."""
    keys = list(keys)
    known = {fmt: sum(translate(key, fmt, NATIVE) is not None for key in keys) for fmt in FORMATS}
    best = max(FORMATS, key=lambda fmt: known[fmt])
    if not keys or known[best] * 2 < len(keys):
        first = [for_terminal(key, most=100) for key in keys[:4]]
        shown = ", ".join(first) + (", …" if len(keys) > 4 else "")
        raise CheckpointError(
            f"expected the tensor names of a VAN ({', '.join(fmt.name for fmt in FORMATS)}), "
            f"found {len(keys)} tensors{': ' + shown if keys else ''}",
            cause="the tensor names are not those of a VAN",
            remedy="Only VAN checkpoints can be read.",
        )
    return best


def translate(key: str, source: Format, target: Format) -> str | None:
    """``key`` of one format in the naming of another, or None if ``source`` has no such key.

    >>> translate("backbone.blocks2.0.attn.proj_1.bias", OPENMMLAB, OFFICIAL)
    'block2.0.attn.proj_1.bias'
    """
    for pattern, template in zip(_patterns(source), target.parts, strict=True):
        if match := pattern.fullmatch(key):
            found = match.groupdict()
            stage = int(found.get("S") or int(found.get("s") or 0) + 1)
            return template.format(s=stage - 1, S=stage, b=found.get("b")) + found["leaf"]
    return None


def to_native(state: Mapping[str, Tensor], source: Format) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors under the reference model's names, and the keys ``source`` does not know."""
    native, unknown = {}, []
    for key, tensor in state.items():
        name = translate(key, source, NATIVE)
        if name is not None:
            native[name] = tensor
        elif not key.startswith(source.ignored):
            unknown.append(key)
    return native, unknown


def from_native(state: Mapping[str, Tensor], target: Format) -> dict[str, Tensor]:
    """The reference model's state dict under the names of ``target``."""
    renamed = {translate(key, NATIVE, target): tensor for key, tensor in state.items()}
    return {key: tensor for key, tensor in renamed.items() if key is not None}


@cache
def _patterns(source: Format) -> tuple[re.Pattern[str], ...]:
    """One pattern per part; what follows the part's prefix is the group ``leaf``."""
    numbers = {"{s}": "(?P<s>[0-3])", "{S}": "(?P<S>[1-4])", "{b}": r"(?P<b>0|[1-9][0-9]{0,3})"}
    patterns = []
    for template in source.parts:
        pieces = re.split(r"(\{[sSb]\})", template)
        body = "".join(numbers.get(piece, re.escape(piece)) for piece in pieces)
        patterns.append(re.compile(body + r"(?P<leaf>(\.[a-z_]+)?)"))
    return tuple(patterns)
