"""The tensors of a checkpoint file under their own names, whatever contains them.

Only tensors leave this module: a file is read as data and never run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vanbench.checkpoints import torch_file
from vanbench.checkpoints.pickle_scan import Malformed
from vanbench.checkpoints.torch_file import Leftover
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
from vanbench.errors import CheckpointError, located
from vanbench.file_types import (
    HEAD_BYTES,
    describe_bytes,
    is_legacy_torch,
    is_safetensors,
    is_zip,
)

AGAIN = "Download it again, and compare its SHA-256 with the published one."

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COUNTER = "num_batches_tracked"
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


def read_state_dicts(path: str | Path, weights: str | None = None) -> StateDicts:
    """The tensors of a checkpoint under their own names, without the prefixes of wrappers.

    ``weights`` is ``plain`` or ``ema``; None takes those that the framework itself loads for
    inference (see ``weights.find_weights``). Zip and safetensors files are memory-mapped; the
    legacy serialisation is read into memory once. Raises CheckpointError, naming the file, for
    everything that is wrong with it.
    """
    path = Path(path)
    with located(path):
        try:
            content, metadata = _load(path)
        except Malformed as error:
            raise CheckpointError(f"expected a checkpoint, found {error}", remedy=AGAIN) from error
        except OSError as error:
            raise CheckpointError(
                f"expected a checkpoint, but it cannot be read: {error.strerror or error}",
                remedy="Check the path and its permissions.",
            ) from error
        places = _places(content, metadata)
        kind = weights or next(iter(places))
        if kind not in places:
            held = " and ".join(WORDS[found] for found in places)
            raise CheckpointError(
                f"expected {WORDS[kind]}, found {held} only",
                remedy="Ask for the weights that the file has.",
            )
        others = [place.content for name, place in places.items() if name != kind]
        return StateDicts(
            state=_tensors(places[kind].content),
            weights=kind,
            other=_tensors_if_sound(others[0]) if others else None,
            choice=describe_choice(kind, places),
            metadata=metadata,
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
            found.append(f"{name} has {bad} of {tensor.numel()} values that are NaN or infinite")
        elif low == high == 0 and not name.endswith(_OFTEN_ZERO):
            found.append(f"{name} is zero throughout")
    return found


def _load(path: Path) -> tuple[Any, dict[str, str]]:
    """Whatever the file holds, made of plain containers, tensors and Leftovers; its metadata."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_safetensors(head):
        return _load_safetensors(path)
    if is_zip(head) or is_legacy_torch(head):
        return torch_file.load(path, head), {}
    size = path.stat().st_size
    raise CheckpointError(
        f"expected a checkpoint (PyTorch's or safetensors), found {describe_bytes(head)}; "
        f"{size} bytes",
        cause=f"not a checkpoint but {describe_bytes(head)}",
        remedy=AGAIN,
    )


def _load_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise Malformed(f"a damaged or truncated safetensors file ({error})") from error


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
    others = {key for key in keys if not any(isinstance(v, Tensor) for v in content[key].values())}
    if len(others) == len(keys):
        return content
    return {key: value for key, value in content.items() if key not in others}


def _tensors_if_sound(content: Any) -> dict[str, Tensor] | None:
    """The weights that were not asked for; None where they cannot be used."""
    try:
        return _tensors(content)
    except CheckpointError:
        return None


def _tensors(content: Any) -> dict[str, Tensor]:
    """The content, if it is a dict of weights, under the names that the model itself gives them."""
    if not isinstance(content, dict):
        raise CheckpointError(f"expected a dict of tensors, found {_kind(content)}")
    others = [
        f"{key!r} ({_kind(value)})"
        for key, value in content.items()
        if not isinstance(value, Tensor) or not isinstance(key, str)
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
    names = plain_names(weights.keys())
    state = {names[name]: tensor for name, tensor in weights.items()}
    _check_tensors(state)
    return state


def _kind(value: Any) -> str:
    return "a leftover object" if isinstance(value, Leftover) else type(value).__name__


def _check_tensors(state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are no weights, or share memory."""
    others = [
        f"{name} ({tensor.dtype})"
        for name, tensor in state.items()
        if tensor.dtype not in _FLOATS and not (name.endswith(_COUNTER) and _is_count(tensor))
    ]
    if others:
        raise CheckpointError(
            f"expected floating-point weights, found {', '.join(others)}",
            cause="weights that are not floating-point numbers",
            remedy="Quantised weights cannot be read. Use the file that they were made from.",
        )
    spans = sorted((*_span(tensor), name) for name, tensor in state.items() if tensor.numel())
    for (_, end, first), (start, _, second) in pairwise(spans):
        if start < end:
            raise CheckpointError(
                f"expected separate tensors, but the tensors {first} and {second} share memory",
                cause="tensors share memory",
                remedy="Save the state_dict of the model itself.",
            )


def _is_count(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.int64, torch.int32) and tensor.numel() == 1


def _span(tensor: Tensor) -> tuple[int, int]:
    """First and last address of a tensor's elements (the latter exclusive)."""
    reach = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + reach * tensor.element_size()
