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
from vanbench.checkpoints.load import open_checkpoint
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import VanbenchError
from vanbench.files import sha256_of


@dataclass(frozen=True)
class Converted:
    """The written file, its hash and metadata, and sentences on suspicious tensors in it."""

    path: Path
    sha256: str
    metadata: dict[str, str]
    suspicious: tuple[str, ...]


def convert(source: Path, target: Path) -> Converted:
    """Write the tensors of ``source``, under their own names, as safetensors to ``target``.

    The metadata says which file they are from (name, SHA-256) and what they are. The target gets
    its name when it is complete and reads back equal. Raises CheckpointError if the source is not
    a VAN's, and VanbenchError if the target exists or cannot be written.
    """
    if target.exists():
        raise VanbenchError(
            f"{target} exists already", remedy="Choose another name, or delete it first."
        )
    checkpoint = open_checkpoint(source)  # strictly: what is no whole VAN is not converted
    metadata = {
        **{f"source_{key}": value for key, value in checkpoint.metadata.items()},
        "format": "pt",
        "vanbench_version": __version__,
        "source_file": source.name,
        "source_sha256": checkpoint.sha256,
        "naming": checkpoint.naming.name,
    }
    try:
        _write(checkpoint.state, target, metadata)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise VanbenchError(problem, where=target) from error
    return Converted(target, sha256_of(target), metadata, checkpoint.suspicious)


def _write(state: Mapping[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
    """Write beside the target and rename, so that no half file has its name."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vanbench-") as folder:
        fresh = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in state.items()}, fresh, metadata)
        written = read_state_dict(fresh)
        if written.keys() != state.keys() or not all(_same(state[k], written[k]) for k in state):
            raise VanbenchError("what was written does not read back the same", where=target)
        usual = Path(folder) / "usual"
        usual.touch()
        shutil.copymode(usual, fresh)  # safetensors lets only the owner read
        os.replace(fresh, target)


def _same(left: Tensor, right: Tensor) -> bool:
    """Bit for bit, so that NaN equals itself."""
    raw = [t.contiguous().reshape(-1).view(torch.uint8) for t in (left, right)]
    return (left.dtype, left.shape) == (right.dtype, right.shape) and torch.equal(*raw)
