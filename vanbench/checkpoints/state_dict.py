"""Files of weights: read as data, never run. Only tensors leave this module.

A ``.pth`` is a pickle, which is a program: ``containers`` and ``pickles`` look through it first,
and only ``torch.load(weights_only=True)`` reads it.
"""

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vanbench.checkpoints.pickle_scan import LEFTOVERS, Malformed
from vanbench.checkpoints.torch_file import LEGACY_MAGIC, ZIP_MAGIC, check_legacy, check_zip
from vanbench.download.error_messages import HEAD_BYTES, describe_bytes
from vanbench.errors import CheckpointError

EMA = "state_dict_ema"  # where timm's and the authors' code keep the averaged weights
_NESTS = ("state_dict", "model", EMA)
_WRAPPER = "module."  # DataParallel's
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COUNTER = "num_batches_tracked"
_OFTEN_ZERO = (".bias", ".running_mean")


class Leftover:
    """Takes the place of whatever a training framework left beside the tensors, and holds nothing.

    torch's safe unpickler calls it, or sets its state, under the names in ``pickles.LEFTOVERS``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "Leftover":
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def read_state_dict(path: str | Path, *, nest: str | None = None) -> dict[str, Tensor]:
    """The tensors of a checkpoint under their own names, without ``module.`` prefixes.

    ``nest`` is the key that they are under, such as EMA; by default the first known one.
    Zip and safetensors files are memory-mapped; the legacy serialisation is read into memory once.
    Raises CheckpointError, naming the file, for everything that is wrong with it.
    """
    path = Path(path)
    try:
        state = _without_wrapper(_nested(_load(path), _NESTS if nest is None else (nest,)))
        _check_tensors(state)
    except Malformed as error:
        raise CheckpointError(f"{path}: expected a checkpoint, found {error}.") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}.") from error
    return state


def read_metadata(path: str | Path) -> dict[str, str]:
    """The texts that a safetensors file carries beside its tensors; nothing for other files."""
    with Path(path).open("rb") as file:
        if not _is_safetensors(file.read(9)):
            return {}
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def has_ema(path: str | Path) -> bool:
    """Whether a checkpoint has averaged weights beside the ones that it is read for."""
    content = _load(Path(path))
    return isinstance(content, dict) and len(content.keys() & {*_NESTS}) > 1 and EMA in content


def oddities(state: Mapping[str, Tensor]) -> list[str]:
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


def _load(path: Path) -> Any:
    """Whatever the file holds, made of plain containers, tensors and Leftovers."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if _is_safetensors(head):
        return _load_safetensors(path)
    if head.startswith(ZIP_MAGIC):
        check_zip(path)
    elif head.startswith(LEGACY_MAGIC):
        check_legacy(path)
    else:
        raise CheckpointError(_not_one(path, head))
    stand_ins: list = [(Leftover, name) for name in LEFTOVERS]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(
                path, map_location="cpu", weights_only=True, mmap=head.startswith(ZIP_MAGIC)
            )
    except Exception as error:  # of any kind: torch checks little before it trips over damage
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"torch cannot read it: {reason}") from error


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100 << 20


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise Malformed(f"a damaged or truncated safetensors file ({error})") from error


def _not_one(path: Path, head: bytes) -> str:
    size = os.stat(path).st_size
    return (
        f"expected a checkpoint (PyTorch's or safetensors), found {describe_bytes(head)}; "
        f"{size} bytes. Fetch it again, and compare its SHA-256 with the published one."
    )


def _nested(content: Any, nests: tuple[str, ...]) -> Any:
    if isinstance(content, dict):
        for nest in nests:
            if isinstance(content.get(nest), dict):
                return content[nest]
    return content


def _without_wrapper(content: Any) -> dict[str, Tensor]:
    """The content, if it is a dict of tensors, without a prefix that all its names share."""
    if not isinstance(content, dict):
        raise CheckpointError(f"expected a dict of tensors, found {_kind(content)}.")
    odd = [
        f"{key!r} ({_kind(value)})"
        for key, value in content.items()
        if not isinstance(value, Tensor) or not isinstance(key, str)
    ]
    if odd or not content:
        found = f"entries that are none: {', '.join(odd[:5])}" if odd else "an empty dict"
        raise CheckpointError(f"expected a dict of tensors, found {found}.")
    while all(key.startswith(_WRAPPER) for key in content):
        content = {key.removeprefix(_WRAPPER): tensor for key, tensor in content.items()}
    return dict(content)


def _kind(value: Any) -> str:
    return "a leftover object" if isinstance(value, Leftover) else type(value).__name__


def _check_tensors(state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are no weights, or share memory."""
    odd = [
        f"{name} ({tensor.dtype})"
        for name, tensor in state.items()
        if tensor.dtype not in _FLOATS and not (name.endswith(_COUNTER) and _is_count(tensor))
    ]
    if odd:
        raise CheckpointError(f"expected floating-point weights, found {', '.join(odd)}.")
    spans = sorted((*_span(tensor), name) for name, tensor in state.items() if tensor.numel())
    for (_, end, first), (start, _, second) in pairwise(spans):
        if start < end:
            raise CheckpointError(f"the tensors {first} and {second} share memory.")


def _is_count(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.int64, torch.int32) and tensor.numel() == 1


def _span(tensor: Tensor) -> tuple[int, int]:
    """First and last address of a tensor's elements (the latter exclusive)."""
    reach = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + reach * tensor.element_size()
