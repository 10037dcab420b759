"""Checkpoint files to mutate, and the rule that each mutant must keep.

A mutant is read as its weights, or refused with an error of the project that names the file.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save

from tests.support.forge import tiny_state
from vanbench.checkpoints.load import open_checkpoint
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import CheckpointError

LONGEST_MESSAGE = 2_000_000  # characters; all names of a large network may be in it


def seeds() -> dict[str, bytes]:
    """Sound files by a name that ends as such a file's would."""
    state = tiny_state()
    training = {"state_dict": state, "meta": {"epoch": 3, "lr": [0.1] * 3}, "optimizer": {0: {}}}
    return {
        "bare.pth": _saved(state),
        "training.pth": _saved(training),
        "legacy.pth": _saved(state, legacy=True),
        "training-legacy.pth": _saved(training, legacy=True),
        "rezipped.pth": _rezipped(_saved(state)),
        "plain.safetensors": save(state, {"source": "here"}),
        "small.safetensors": _small_safetensors(),
    }


def check(path: Path) -> None:
    """Raise AssertionError if the file is neither read nor refused as it should be.

    Anything else that is raised is a violation, too. The caller bounds time and memory.
    """
    for read in (read_state_dict, open_checkpoint):
        try:
            found = read(path)
        except CheckpointError as error:
            message = str(error)
            assert str(path) in message, f"the file is not named: {message[:200]}"
            assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
            assert all(c.isprintable() or c == "\n" for c in message), f"{message[:200]!r}"
        else:
            tensors = found if isinstance(found, dict) else found.state
            for tensor in tensors.values():
                assert torch.is_tensor(tensor)
                tensor.double().sum()  # every value can be read


def _saved(content: object, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _rezipped(archive: bytes) -> bytes:
    """The same entries as Python's zipfile writes them."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target.getvalue()


def _small_safetensors() -> bytes:
    """A file that is mostly header, so that most mutations are in it."""
    entries = {
        f"a{i}": {"dtype": "F32", "shape": [1, 2], "data_offsets": [8 * i, 8 * i + 8]}
        for i in range(20)
    }
    header = json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + bytes(160)


if __name__ == "__main__":  # the seeds themselves keep the rule
    with tempfile.TemporaryDirectory() as folder:
        for name, data in seeds().items():
            (Path(folder) / name).write_bytes(data)
            check(Path(folder) / name)
