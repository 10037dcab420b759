"""Files of weights: read as data, never run.

A ``.pth`` is a pickle, which is a program; only ``torch.load(weights_only=True)`` touches it here.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vanbench.errors import CheckpointError

_NESTS = ("state_dict", "model", "state_dict_ema")
_WRAPPER = "module."  # DataParallel's


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under their own names, without ``module.`` prefixes.

    Zip files are memory-mapped; the legacy serialisation is read into memory once.
    Raises CheckpointError if the file is not a checkpoint or would run code.
    """
    path = Path(path)
    content = _load(path)
    for nest in _NESTS:
        if isinstance(content, dict) and isinstance(content.get(nest), dict):
            content = content[nest]
            break
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: expected a dict of tensors, found {type(content).__name__}."
        )
    odd = [f"{k!r} ({type(v).__name__})" for k, v in content.items() if not isinstance(v, Tensor)]
    if odd or not content:
        found = f"entries that are none: {', '.join(odd[:5])}" if odd else "an empty dict"
        raise CheckpointError(f"{path}: expected a dict of tensors, found {found}.")
    return {str(key).removeprefix(_WRAPPER): tensor for key, tensor in content.items()}


def _load(path: Path) -> Any:
    try:
        head = path.open("rb").read(64)
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise CheckpointError(_explain(path, head, error)) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise CheckpointError(_explain(path, head, error)) from error


def _explain(path: Path, head: bytes, error: Exception) -> str:
    return f"{path}: not a readable checkpoint: {error}"
