"""Checkpoints made to order: small sound ones, and ones that only look sound."""

import hashlib
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import OPENMMLAB, Format, from_native
from vanbench.model.architecture import Architecture

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


def tiny_state(fmt: Format = OPENMMLAB, architecture: Architecture = TINY) -> dict[str, Tensor]:
    """The state dict of a small VAN, every value random, in the naming of ``fmt``."""
    return from_native(randomized(architecture).state_dict(), fmt)


def save(content: Any, path: Path, *, legacy: bool = False) -> Path:
    """``torch.save`` in either serialisation."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def digest(state: Mapping[str, Tensor]) -> str:
    """A SHA-256 of the tensors of a state dict, by name: type, shape and every bit."""
    hasher = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hasher.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()


@dataclass(frozen=True)
class FakeStorage:
    """Pickles as torch's reference to a storage that is declared so."""

    key: str
    numel: int
    kind: Any = torch.FloatStorage


@dataclass(frozen=True)
class FakeTensor:
    """Pickles as a tensor of that geometry."""

    storage: FakeStorage
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int = 0

    def __reduce__(self) -> tuple:
        arguments = (self.storage, self.offset, self.size, self.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


class _Pickler(pickle.Pickler):
    def __init__(self, file: IO[bytes], legacy: bool):
        super().__init__(file, protocol=2)
        self.view = (None,) if legacy else ()

    def persistent_id(self, obj: Any) -> tuple | None:
        if isinstance(obj, FakeStorage):
            return ("storage", obj.kind, obj.key, "cpu", obj.numel, *self.view)
        return None


def forge_zip(
    content: Any,
    path: Path,
    data: dict[str, bytes],
    *,
    compression: int = zipfile.ZIP_STORED,
    more: dict[str, bytes] | None = None,
) -> Path:
    """A zip checkpoint with that content (or, as bytes, that pickle), storages and other entries."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("a/data.pkl", "w") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                _Pickler(file, legacy=False).dump(content)
        archive.writestr("a/byteorder", b"little")
        for key, value in data.items():
            archive.writestr(f"a/data/{key}", value)
        archive.writestr("a/version", b"3\n")
        for name, value in (more or {}).items():
            archive.writestr(name, value)
    return path


def forge_legacy(
    content: Any, path: Path, data: dict[str, tuple[int, bytes]], keys: Any = None
) -> Path:
    """A legacy checkpoint; each storage with the element count in its header, and its bytes."""
    with path.open("wb") as file:
        for value in (MAGIC_NUMBER, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        _Pickler(file, legacy=True).dump(content)
        pickle.dump(list(data) if keys is None else keys, file, protocol=2)
        for numel, value in data.values():
            file.write(numel.to_bytes(8, "little") + value)
    return path


def as_written(path: Path) -> dict[str, Tensor]:
    """The tensors of a sound file as torch's own reader gives them, of a bare state dict."""
    content: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def forge_pickled(path: Path, pickled: bytes, *, legacy: bool = False) -> Path:
    """A checkpoint without storages, with these bytes as the pickle of its content."""
    if not legacy:
        return forge_zip(pickled, path, {})
    head = b"".join(pickle.dumps(v, protocol=2) for v in (MAGIC_NUMBER, 1001, {}))
    path.write_bytes(head + pickled + pickle.dumps([], protocol=2))
    return path


def forge_safetensors(path: Path, header: Any, data: bytes = b"") -> Path:
    """A safetensors file with that header (or, as text, that JSON)."""
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(len(text.encode()).to_bytes(8, "little") + text.encode() + data)
    return path
