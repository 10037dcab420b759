"""Tensors from the bytes of a file, mapped into memory or read once."""

import mmap
import sys
from collections.abc import Mapping
from typing import IO

import torch
from torch import Tensor

from vanbench.checkpoints.stored import Malformed, Storage, StoredContent, StoredTensor

_DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


def dtype_of(tensor: StoredTensor) -> torch.dtype:
    """The type of a tensor that is not read yet."""
    return _DTYPES[tensor.storage.kind]


class TensorFile:
    """An open checkpoint; its tensors are read when they are asked for.

    ``mapped``: the tensors lie in the file, as far as its kind allows. Whoever writes to them
    changes a copy; when another program writes to the file or shortens it, they change too, or
    the process ends. Otherwise they are copies in memory. Tensors of one storage share it.
    """

    def __init__(self, file: IO[bytes], size: int, content: StoredContent, *, mapped: bool):
        self.content = content
        self._file, self._size = file, size
        self._mapped = mapped and content.mappable
        self._view: mmap.mmap | None = None
        self._storages: dict[str, Tensor] = {}

    def read(self, tensors: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
        """These tensors, on the CPU."""
        return {name: self._tensor(tensor) for name, tensor in tensors.items()}

    def _tensor(self, tensor: StoredTensor) -> Tensor:
        if 0 in tensor.size:
            return torch.empty(tensor.size, dtype=dtype_of(tensor), device="cpu")
        key = tensor.storage.key
        if key not in self._storages:
            self._storages[key] = self._elements(tensor.storage)
        return self._storages[key].as_strided(tensor.size, tensor.stride, tensor.offset)

    def _elements(self, storage: Storage) -> Tensor:
        """All elements of a storage, one after the other."""
        dtype = _DTYPES[storage.kind]
        start, size = self.content.starts[storage.key], storage.nbytes
        if self._mapped and start % dtype.itemsize == 0:
            data = torch.frombuffer(self._map(), dtype=torch.uint8, count=size, offset=start)
        else:
            data = self._copy(start, size)
        if self.content.big_endian != (sys.byteorder == "big"):
            data = data.view(-1, dtype.itemsize).flip(1).flatten()
        if dtype == torch.bool:  # a byte other than 0 and 1 would be neither true nor false
            return data != 0
        return data.view(dtype)

    def _map(self) -> mmap.mmap:
        """The file in memory, which stays there as long as a tensor of it is in use."""
        if self._view is None:
            self._view = mmap.mmap(self._file.fileno(), self._size, access=mmap.ACCESS_COPY)
        return self._view

    def _copy(self, start: int, size: int) -> Tensor:
        data = torch.empty(size, dtype=torch.uint8, device="cpu")
        self._file.seek(start)
        view, done = data.numpy().data, 0
        while count := self._file.readinto(view[done:]):  # type: ignore[attr-defined]
            done += count
        if done < size:
            raise Malformed("too few bytes: the file became shorter while it was read")
        return data
