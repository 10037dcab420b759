"""Where and how precisely a network computes: device, precision, batch size, workers.

torch is imported on first use, so that the command line can name the precisions without it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from vanbench.errors import DeviceError

if TYPE_CHECKING:
    import torch

AUTOCAST = {"fp32": None, "tf32": None, "bf16": "bfloat16", "fp16": "float16"}
"""The precisions, and the type that autocast computes in; None without autocast."""

PRECISIONS = tuple(AUTOCAST)


def choose_device(name: str) -> "torch.device":
    """The device of that name; ``auto`` is a CUDA GPU where there is one, else the CPU.

    Raises DeviceError if this machine does not have it.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"No device {name!r} here ({reason}). Try --device auto.") from error
    return device


def default_batch_size(device: "torch.device") -> int:
    """Images per batch: what keeps a GPU busy, or a CPU's caches warm."""
    return 256 if device.type == "cuda" else 32


def default_workers(device: "torch.device") -> int:
    """Decoding processes: all cores beside a GPU, half of them beside a model on the CPU."""
    cores = available_cores()
    return cores if device.type == "cuda" else max(1, cores // 2)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Let torch compute with ``count`` CPU threads, or with as many as before if that is None."""
    import torch

    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)


def synchronize(device: "torch.device") -> None:
    """Wait until the device has done all that was asked of it."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def numerics(device: "torch.device", precision: str) -> Iterator[None]:
    """Compute in a named precision, one of PRECISIONS; what was set before is set again at the end.

    ``fp32`` is IEEE single precision in every library, without TF32 or bfloat16 inside of
    matrix products and convolutions; ``tf32`` allows TF32 on a CUDA device.
    """
    import torch

    dtype = AUTOCAST[precision]
    with ExitStack() as stack:
        stack.enter_context(_float32_precision(tf32=precision == "tf32"))
        if dtype is not None:
            stack.enter_context(torch.autocast(device.type, getattr(torch, dtype)))
        yield


@contextmanager
def _float32_precision(*, tf32: bool) -> Iterator[None]:
    """Set how float32 operations compute, and restore it.

    torch has two interfaces to this: the float32 matmul precision with ``allow_tf32``, and
    ``fp32_precision`` since 2.9. Reading the older one fails where the two disagree, so both are
    set.
    """
    settings = [(*setting, _read(*setting[:2])) for setting in _float32_settings(tf32)]
    settings = [setting for setting in settings if setting[3] is not None]
    if all(
        found == wanted or {found, wanted} == {"none", "ieee"} for *_, wanted, found in settings
    ):
        yield  # as it should be
        return
    try:
        for place, name, wanted, _ in settings:
            setattr(place, name, wanted)
        yield
    finally:
        for place, name, _, found in settings:
            setattr(place, name, found)


def _float32_settings(tf32: bool) -> list[tuple[Any, str, bool | str]]:
    """Where torch keeps the precision of float32 operations: object, attribute, wanted value."""
    from torch.backends import cuda, cudnn, mkldnn

    wanted = "tf32" if tf32 else "ieee"
    on_cuda = [cuda.matmul, *(getattr(cudnn, name, None) for name in ("conv", "rnn"))]
    on_cpu = [getattr(mkldnn, name, None) for name in ("matmul", "conv", "rnn")]
    return [
        (_MatmulPrecision(), "value", "high" if tf32 else "highest"),
        (cudnn, "allow_tf32", tf32),
        *((place, "fp32_precision", wanted) for place in on_cuda),
        *((place, "fp32_precision", "ieee") for place in on_cpu),
    ]


class _MatmulPrecision:
    """torch's float32 matmul precision as an attribute: ``highest`` is without TF32."""

    @property
    def value(self) -> str:
        import torch

        return torch.get_float32_matmul_precision()

    @value.setter
    def value(self, precision: str) -> None:
        import torch

        torch.set_float32_matmul_precision(precision)


def _read(place: Any, name: str) -> bool | str | None:
    """The setting, or None where this torch does not have it or cannot tell."""
    try:
        value: bool | str | None = getattr(place, name, None)
    except RuntimeError:  # the two interfaces disagree
        return None
    return value
