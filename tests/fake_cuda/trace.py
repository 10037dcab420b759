"""What a program does on a CUDA device, recorded with tensors that have no values.

torch's fake tensors have a device, a type, a shape and a layout in memory, and refuse whatever needs
a value on the host: ``.item()``, ``bool``, ``nonzero``, masks as indices, ``equal``. Copies from one
device to another they allow; these are recorded here.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)


@dataclass(frozen=True)
class Call:
    """One operation of torch, its tensors, and the tensors that came out."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    non_blocking: bool

    @property
    def to_host(self) -> bool:
        """Whether it copies from the GPU to the host."""
        return self._from_to("cuda", "cpu")

    @property
    def to_gpu(self) -> bool:
        """Whether it copies from the host to the GPU."""
        return self._from_to("cpu", "cuda")

    @property
    def waits(self) -> bool:
        """Whether the host waits until it has been copied."""
        return (self.to_host or self.to_gpu) and not self.non_blocking

    @property
    def on_host(self) -> bool:
        """Whether it computes on the host alone."""
        return _any_on("cpu", self.outputs) and not _any_on("cuda", self.inputs)

    def _from_to(self, origin: str, end: str) -> bool:
        only_the_shape = self.name.endswith("_like") or self.name.startswith("new_")
        return _any_on(origin, self.inputs) and _any_on(end, self.outputs) and not only_the_shape


class Trace(TorchDispatchMode):
    """The operations that ran in its ``with`` block."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def named(self, *names: str) -> list[Call]:
        """The calls of operators, by name."""
        return [call for call in self.calls if call.name in names]

    @property
    def off_gpu(self) -> list[str]:
        """The operations that are not of the GPU alone."""
        return [call.name for call in self.calls if call.to_host or call.to_gpu or call.on_host]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs, outputs = _tensors((args, kwargs)), _tensors(result)
        if outputs:  # else it asks for a property, such as the device
            name = func.overloadpacket.__name__
            self.calls.append(Call(name, inputs, outputs, _non_blocking(func, args, kwargs)))
        return result


def fake_tensors() -> FakeTensorMode:
    """In its ``with`` block tensors have no values; those from outside are taken as such.

    A network is made outside of it and moved inside: torch does not replace fake parameters.
    """
    return FakeTensorMode(allow_non_fake_inputs=True)


def why_not() -> str:
    """Why nothing can be traced here; empty where it can."""
    conv = torch.nn.Conv2d(2, 2, 1)
    try:
        with fake_tensors(), torch.no_grad():
            x = torch.empty(1, 2, 4, 4, device="cpu").to(CUDA)
            conv.to(CUDA)(x.contiguous(memory_format=torch.channels_last))
    except (RuntimeError, AssertionError) as error:
        return f"torch {torch.__version__}: {str(error).splitlines()[0]}"
    return ""


def is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


def _non_blocking(func: Any, args: Any, kwargs: Any) -> bool:
    names = (argument.name for argument in func._schema.arguments)
    return bool((dict(zip(names, args, strict=False)) | (kwargs or {})).get("non_blocking"))


def _any_on(kind: str, tensors: tuple[Tensor, ...]) -> bool:
    return any(tensor.device.type == kind for tensor in tensors)


def _tensors(values: Any) -> tuple[Tensor, ...]:
    return tuple(leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
