"""A checkpoint as a safetensors file: no program in it, mapped into memory, with its origin."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from vanbench._version import __version__
from vanbench.checkpoints.key_names import detect
from vanbench.checkpoints.load import about, model_from_state
from vanbench.checkpoints.state_dict import oddities, read_metadata, read_state_dict
from vanbench.download.cache import sha256_of
from vanbench.errors import VanbenchError


@dataclass(frozen=True)
class Converted:
    """The written file, its hash and metadata, and what is odd about the weights in it."""

    path: Path
    sha256: str
    metadata: dict[str, str]
    oddities: tuple[str, ...]


def convert(source: Path, target: Path) -> Converted:
    """Write the tensors of ``source``, under their own names, as safetensors to ``target``.

    The metadata says which file they are from (name, SHA-256) and what they are. The target gets
    its name when it is complete and reads back equal. Raises CheckpointError if the source is not
    a VAN's, and VanbenchError if the target exists or cannot be written.
    """
    if target.exists():
        raise VanbenchError(f"{target} exists already. Choose another name, or delete it first.")
    with about(source):
        state = read_state_dict(source)
        model_from_state(state)  # strictly: what is no whole VAN is not converted
    metadata = {
        **{f"source_{key}": value for key, value in read_metadata(source).items()},
        "format": "pt",
        "vanbench_version": __version__,
        "source_file": source.name,
        "source_sha256": sha256_of(source),
        "naming": detect(state).name,
    }
    try:
        _write(state, target, metadata)
    except OSError as error:
        reason = error.strerror or error
        raise VanbenchError(f"{target}: cannot be written: {reason}.") from error
    return Converted(target, sha256_of(target), metadata, tuple(oddities(state)))


def _write(state: Mapping[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
    """Write beside the target and rename, so that no half file has its name."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vanbench-") as folder:
        fresh = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in state.items()}, fresh, metadata)
        written = read_state_dict(fresh)
        if written.keys() != state.keys() or not all(_same(state[k], written[k]) for k in state):
            raise VanbenchError(f"{target}: what was written does not read back the same.")
        usual = Path(folder) / "usual"
        usual.touch()
        shutil.copymode(usual, fresh)  # safetensors lets only the owner read
        os.replace(fresh, target)


def _same(left: Tensor, right: Tensor) -> bool:
    """Bit for bit, so that NaN equals itself."""
    raw = [t.contiguous().reshape(-1).view(torch.uint8) for t in (left, right)]
    return (left.dtype, left.shape) == (right.dtype, right.shape) and torch.equal(*raw)
