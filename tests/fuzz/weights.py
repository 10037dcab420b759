"""Files of weights."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from tests.fuzz.kind import Kind
from tests.fuzz.mutators import safetensors_header, within_zip
from tests.support.forge import digest, save, tiny_state
from vanbench.checkpoints.load import open_checkpoint


def _content(nested: bool) -> Any:
    state = tiny_state()
    return {"meta": {"epoch": 300, "classes": ["a", "b"]}, "state_dict": state} if nested else state


def _torch(legacy: bool) -> Any:
    def make(folder: Path) -> list[Path]:
        names = {"nested.pth": True, "bare.pth": False}
        return [save(_content(nested), folder / n, legacy=legacy) for n, nested in names.items()]

    return make


def _safetensors(folder: Path) -> list[Path]:
    save_file(tiny_state(), folder / "x.safetensors", metadata={"format": "pt"})
    return [folder / "x.safetensors"]


def _read(folder: Path, path: Path) -> Any:
    checkpoint = open_checkpoint(path)
    return digest(checkpoint.model.state_dict()), repr(checkpoint.architecture)


KINDS = {
    "torch-zip": Kind(_torch(False), _read, (within_zip,)),
    "torch-legacy": Kind(_torch(True), _read),
    "safetensors": Kind(_safetensors, _read, (safetensors_header,)),
}
