"""The tensors of a checkpoint file under their own names, whatever contains them.

Only tensors leave this module: a file is read as data and never run. Those that are not asked for
(an optimizer's state) are not read.
"""

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from vanbench.checkpoints.guard import AGAIN, CHECK, guarded
from vanbench.checkpoints.safetensors_file import read_safetensors
from vanbench.checkpoints.stored import StoredContent, StoredTensor
from vanbench.checkpoints.tensor_reading import TensorFile, dtype_of
from vanbench.checkpoints.torch_file import read_legacy, read_zip
from vanbench.checkpoints.weights import (
    COUNTERS,
    EMA_KEYS,
    PLAIN,
    PLAIN_KEYS,
    WEIGHTS,
    WORDS,
    Place,
    describe_choice,
    find_weights,
    plain_names,
)
from vanbench.errors import CheckpointError
from vanbench.file_types import (
    HEAD_BYTES,
    describe_bytes,
    is_legacy_torch,
    is_safetensors,
    is_zip,
)
from vanbench.outside.files import check_regular
from vanbench.outside.safe_text import for_terminal, shorten

MOST_TENSORS = 50_000  # the largest VAN has 3,000
MOST_NAME = 1000  # characters of a tensor's name

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COUNTER = "num_batches_tracked"
_POSITIONS = "relative_position_index"
_OFTEN_ZERO = (".bias", ".running_mean")


@dataclass(frozen=True, eq=False)
class StateDicts:
    """What one file holds: the tensors that are taken, and those of the other kind beside them.

    ``weights`` is the kind of ``state``: ``plain`` or ``ema`` (averaged). ``choice`` says in words
    where it was taken from; None for plain weights with nothing beside them. ``other`` is also None
    where what is beside them cannot be used. ``metadata`` is the text that a safetensors file
    carries; empty for other files.
    """

    state: dict[str, Tensor]
    weights: str
    other: dict[str, Tensor] | None
    choice: str | None
    metadata: dict[str, str]


def read_state_dicts(
    path: str | Path, weights: str | None = None, *, mapped: bool = True
) -> StateDicts:
    """The tensors of a checkpoint under their own names, without the prefixes of wrappers.

    ``weights`` is ``plain`` or ``ema``; None takes those that the framework itself loads for
    inference (see ``weights.find_weights``). Zip and safetensors files are memory-mapped, unless
    ``mapped`` is False; then only the weights that were not asked for are. The legacy serialisation
    is read into memory once. Raises CheckpointError, naming the file, for everything that is wrong
    with it.
    """
    path = Path(path)
    with guarded(path):
        check_regular(path, CheckpointError, remedy=CHECK)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = _content(file, size)
            places = _places(content.value, content.metadata)
            kind = weights or next(iter(places))
            if kind not in places:
                held = " and ".join(WORDS[found] for found in places)
                raise CheckpointError(
                    f"expected {WORDS[kind]}, found {held} only",
                    remedy="Ask for the weights that the file has.",
                )
            others = [place.content for name, place in places.items() if name != kind]
            mapping = TensorFile(file, size, content, mapped=True)
            reader = mapping if mapped else TensorFile(file, size, content, mapped=False)
            return StateDicts(
                state=_tensors(places[kind].content, reader),
                weights=kind,
                other=_tensors_if_sound(others[0], mapping) if others else None,
                choice=describe_choice(kind, places),
                metadata=content.metadata,
            )


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors that a checkpoint is read for; see ``read_state_dicts``."""
    return read_state_dicts(path).state


def suspicious_tensors(state: Mapping[str, Tensor]) -> list[str]:
    """Sentences on weights that no training leaves: NaN, infinite, or zero where zero is useless.

    Reads every value once.
    """
    found = []
    for name, tensor in state.items():
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        low, high = tensor.aminmax()  # NaN if there is one
        if not (torch.isfinite(low) and torch.isfinite(high)):
            bad = tensor.numel() - int(torch.isfinite(tensor).sum())
            count = f"{bad} of {tensor.numel()}"
            found.append(f"{for_terminal(name)} has {count} values that are NaN or infinite")
        elif low == high == 0 and not name.endswith(_OFTEN_ZERO):
            found.append(f"{for_terminal(name)} is zero throughout")
    return found


def _content(file: IO[bytes], size: int) -> StoredContent:
    """What a file of ``size`` bytes declares; no tensor is read."""
    head = file.read(HEAD_BYTES)
    if is_safetensors(head):
        return read_safetensors(file, size)
    if is_zip(head):
        return read_zip(file, size)
    if is_legacy_torch(head):
        return read_legacy(file, size)
    raise CheckpointError(
        f"expected a checkpoint (PyTorch's or safetensors), found {describe_bytes(head)}; "
        f"{size} bytes",
        cause=f"not a checkpoint but {describe_bytes(head)}",
        remedy=AGAIN,
    )


def _places(content: Any, metadata: Mapping[str, str]) -> dict[str, Place]:
    """Where the weights of each kind are; a file that ``convert`` wrote says which it holds."""
    places = find_weights(_without_dicts_of_other_things(content))
    kind = metadata.get("weights", PLAIN)
    if kind != PLAIN and kind in WEIGHTS and places.keys() == {PLAIN}:
        return {kind: places[PLAIN]}
    return places


def _without_dicts_of_other_things(content: Any) -> Any:
    """The content without what has a key of weights and holds no tensor, such as a model's config.

    All of it where nothing else has such a key, so that the error is about what is there.
    """
    if not isinstance(content, dict):
        return content
    keys = [key for key in (*PLAIN_KEYS, *EMA_KEYS) if isinstance(content.get(key), dict)]
    others = {key for key in keys if not _has_tensors(content[key])}
    if len(others) == len(keys):
        return content
    return {key: value for key, value in content.items() if key not in others}


def _has_tensors(content: dict[Any, Any]) -> bool:
    return any(type(value) is StoredTensor for value in content.values())


def _tensors_if_sound(content: Any, reader: TensorFile) -> dict[str, Tensor] | None:
    """The weights that were not asked for; None where they cannot be used."""
    try:
        return _tensors(content, reader)
    except CheckpointError:
        return None


def _tensors(content: Any, reader: TensorFile) -> dict[str, Tensor]:
    """The content, if it is a dict of weights, under the names that the model itself gives them."""
    if type(content) is not dict:
        raise CheckpointError(f"expected a dict of tensors, found {_kind(content)}")
    others = [
        f"{shorten(key)} ({_kind(value)})"
        for key, value in content.items()
        if type(value) is not StoredTensor or type(key) is not str
    ]
    if others or not content:
        found = f"entries that are none: {', '.join(others[:5])}" if others else "an empty dict"
        raise CheckpointError(
            f"expected a dict of tensors, found {found}",
            remedy=f"Weights are looked for under {', '.join((*PLAIN_KEYS, *EMA_KEYS))}.",
        )
    weights = {
        name: tensor
        for name, tensor in content.items()
        if name not in COUNTERS or not _is_count(tensor)
    }
    _check_names(weights)
    names = plain_names(weights.keys())
    stored = {names[name]: tensor for name, tensor in weights.items()}
    _check_tensors(stored)
    return reader.read(stored)


def _kind(value: Any) -> str:
    if type(value) is StoredTensor:
        return "Tensor"
    plain = value is None or isinstance(value, dict | list | tuple | str | int | float)
    return type(value).__name__ if plain else "a leftover object"


def _check_names(names: Collection[str]) -> None:
    """Refuse names that are too many, too long, or no text (half of a surrogate pair)."""
    if len(names) > MOST_TENSORS:
        raise CheckpointError(f"expected the tensors of a VAN, found {len(names):,} tensors")
    for name in names:
        if len(name) > MOST_NAME or any(0xD800 <= ord(c) < 0xE000 for c in name):
            raise CheckpointError(
                f"expected names of at most {MOST_NAME:,} characters, found {shorten(name)}"
            )


def _check_tensors(state: Mapping[str, StoredTensor]) -> None:
    """Refuse tensors that are no weights, or share memory."""
    others = [
        f"{for_terminal(name)} ({dtype_of(tensor)})"
        for name, tensor in state.items()
        if dtype_of(tensor) not in _FLOATS and not _may_be_whole(name, tensor)
    ]
    if others:
        shown = ", ".join(others[:20]) + (", …" if len(others) > 20 else "")
        raise CheckpointError(
            f"expected floating-point weights, found {shown}",
            cause="weights that are not floating-point numbers",
            remedy="Quantised weights cannot be read. Use the file that they were made from.",
        )
    spans = sorted((*_span(tensor), name) for name, tensor in state.items() if 0 not in tensor.size)
    for (key, _, end, first), (other, start, _, second) in pairwise(spans):
        if key == other and start < end:
            raise CheckpointError(
                f"expected separate tensors, but the tensors {for_terminal(first)} and "
                f"{for_terminal(second)} share memory",
                cause="tensors share memory",
                remedy="Save the state_dict of the model itself.",
            )


def _may_be_whole(name: str, tensor: StoredTensor) -> bool:
    """Whether it is a counter, or the table of positions that Swin and MaxViT look biases up by."""
    if name.endswith(_POSITIONS):
        return dtype_of(tensor) in (torch.int64, torch.int32)
    return name.endswith(_COUNTER) and _is_count(tensor)


def _is_count(tensor: StoredTensor) -> bool:
    return dtype_of(tensor) in (torch.int64, torch.int32) and math.prod(tensor.size) == 1


def _span(tensor: StoredTensor) -> tuple[str, int, int]:
    """The storage of a tensor with elements, and its first and last of them (exclusive)."""
    reach = 1 + sum((n - 1) * s for n, s in zip(tensor.size, tensor.stride, strict=True))
    return tensor.storage.key, tensor.offset, tensor.offset + reach
