"""A checkpoint as a safetensors file: tensors only, mapped into memory, with its origin."""

import json
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
from vanbench.outside.safe_text import for_terminal


@dataclass(frozen=True)
class Converted:
    """The written file: hash, number of tensors, metadata, and sentences on suspicious tensors.

    ``choice`` says which weights were taken of a file that has more; None where it has no others.
    """

    path: Path
    sha256: str
    tensors: int
    metadata: dict[str, str]
    suspicious: tuple[str, ...]
    choice: str | None


def convert(source: Path, target: Path) -> Converted:
    """Write the tensors of ``source``, under their own names, as safetensors to ``target``.

    The metadata says which file they are from (name, SHA-256), their naming, and whether they are
    plain or averaged (``weights``). The target gets its name when it is complete and reads back
    equal. Raises CheckpointError if the source is not a VAN's, and VanbenchError if the target
    exists or cannot be written.
    """
    if target.exists():
        raise VanbenchError(
            "expected a new file, found one that exists already",
            where=target,
            remedy="Choose another name, or delete it first.",
        )
    checkpoint = open_checkpoint(source)  # refuses a file that is not one complete VAN
    metadata = {
        **{f"source_{key}": value for key, value in checkpoint.metadata.items()},
        "format": "pt",
        "vanbench_version": __version__,
        "source_file": for_terminal(source.name),  # safetensors takes UTF-8 only
        "source_sha256": checkpoint.sha256,
        "naming": checkpoint.naming.name,
        "weights": checkpoint.weights,
    }
    try:
        _write(checkpoint.state, target, metadata)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        remedy = "Free disk space, or choose a folder that can be written."
        raise VanbenchError(problem, where=target, remedy=remedy) from error
    return Converted(
        path=target,
        sha256=sha256_of(target),
        tensors=len(checkpoint.state),
        metadata=metadata,
        suspicious=checkpoint.suspicious,
        choice=checkpoint.choice,
    )


def _write(state: Mapping[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
    """Write beside the target and rename, so that no incomplete file has its name."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vanbench-") as folder:
        fresh = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in state.items()}, fresh, metadata)
        _sort_metadata(fresh)
        if not _reads_back(state, fresh):
            raise VanbenchError(
                "expected to read back what was written, found other tensors",
                where=target,
                remedy="Check the disk, and run the command again.",
            )
        usual = Path(folder) / "usual"
        usual.touch()
        shutil.copymode(usual, fresh)  # safetensors lets only the owner read
        os.replace(fresh, target)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata of a safetensors file, which are written in a random order.

    The same source then always gives the same file, with the same SHA-256.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        file.seek(8)
        file.write(text.ljust(size))  # the format allows spaces at the end


def _reads_back(state: Mapping[str, Tensor], path: Path) -> bool:
    """Whether a file holds these tensors. It is not mapped any more afterwards: Windows does not
    rename a file that is.
    """
    written = read_state_dict(path)
    return written.keys() == state.keys() and all(_same(state[k], written[k]) for k in state)


def _same(left: Tensor, right: Tensor) -> bool:
    """Bit for bit, so that NaN equals itself."""
    raw = [t.contiguous().reshape(-1).view(torch.uint8) for t in (left, right)]
    return (left.dtype, left.shape) == (right.dtype, right.shape) and torch.equal(*raw)
