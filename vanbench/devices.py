"""Where and how precisely a network computes: device, precision, batch size, workers.

torch is imported on first use, so that the command line can name the precisions without it.
"""

import multiprocessing
import os
import re
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from vanbench.distributed import ONE, Processes
from vanbench.errors import DeviceError
from vanbench.outside.safe_text import for_terminal

if TYPE_CHECKING:
    import torch

AUTOCAST = {"fp32": None, "tf32": None, "bf16": "bfloat16", "fp16": "float16"}
"""The precisions of torch, and the type that autocast computes in; None without autocast."""

TORCH_PRECISIONS = tuple(AUTOCAST)

INT8 = "int8"
"""What quantised parts of a model compute in (``runtimes.quantize``); the rest is in fp32."""

PRECISIONS = (*TORCH_PRECISIONS, INT8)

FLAG = "_SIGCHLD_handler_set"
"""Where torch's DataLoader notes that it has set a signal handler."""


def choose_device(name: str, here: Processes = ONE) -> "torch.device":
    """The device of that name; ``auto`` is a CUDA GPU where there is one, else the CPU.

    Of several processes on a machine (``here``), each gets the GPU with its local rank. Apple's
    ``mps`` is used only when it is named: this project's results on it are not tested.
    Raises DeviceError if this machine does not have the device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if here.is_alone:
            return torch.device(name)
    try:
        device = torch.device(name)
        if here.local_size > 1 and device.type == "cuda":
            device = _own_gpu(device, here)
        torch.zeros(1, device=device).item()  # "meta" can allocate, but has no values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = _missing_gpu(name) or str(error).splitlines()[0].split(". ")[0].rstrip(".")
        raise DeviceError(
            f"No device {name!r} here ({reason})", remedy="Try --device auto."
        ) from error
    return device


def _missing_gpu(name: str) -> str:
    """Which GPUs a program sees, if the named one is none of them; empty where torch says it."""
    import torch

    if name.startswith("mps") and not torch.backends.mps.is_available():
        return "torch finds no Apple GPU"
    match, count = re.fullmatch(r"cuda(?::(\d+))?", name), torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if match is None or int(match[1] or 0) < count or (not count and visible is None):
        return ""
    seen = (
        "no GPU is visible",
        "only cuda:0 is visible",
        f"only cuda:0 to cuda:{count - 1} are visible",
    )
    text = seen[min(count, 2)]
    if visible is None:
        return text
    return f"{text}, because CUDA_VISIBLE_DEVICES is {for_terminal(visible, most=80)!r}"


def idle_gpus_note(
    device: "torch.device", arguments: Sequence[str], here: Processes = ONE
) -> str | None:
    """The command that uses all visible GPUs, where ``vanbench ARGUMENTS`` uses one of several.

    None where a GPU was chosen by its number, or torchrun has started this process.
    """
    import torch

    if device.type != "cuda" or device.index is not None or here.size > 1:
        return None
    count = torch.cuda.device_count()
    if count < 2:
        return None
    words = ["torchrun", "--nproc-per-node", str(count), "-m", "vanbench", *arguments]
    return f"{count} GPUs are visible and one is used. To use all: {shlex.join(words)}"


def _own_gpu(device: "torch.device", here: Processes) -> "torch.device":
    """The GPU of one of several processes; DeviceError if there are fewer GPUs than processes."""
    import torch

    count = torch.cuda.device_count()
    if device.index is not None:
        raise DeviceError(
            f"expected --device cuda for {here.local_size} processes on one machine, found "
            f"{device}, which would be the GPU of each of them"
        )
    if 0 < count < here.local_size:
        raise DeviceError(
            f"expected a GPU for each of {here.local_size} processes on this machine, found "
            f"{count}",
            remedy=f"Start it with --nproc-per-node {count}, or with --device cpu.",
        )
    return torch.device("cuda", here.local_rank)


def default_batch_size(device: "torch.device") -> int:
    """Images per batch: many for a GPU; on a CPU, few enough for its caches."""
    return {"cuda": 256, "mps": 64}.get(device.type, 32)


def default_workers(device: "torch.device", processes: int = 1) -> int:
    """Decoding processes for each of some processes that share this machine.

    All cores beside a GPU, half of them beside a model on the CPU.
    """
    cores = available_cores()
    return max(1, (cores // 2 if device.type == "cpu" else cores) // processes)


def available_cores() -> int:
    """How many logical cores this process may use: its affinity, or all where there is none.

    macOS has no affinity.
    """
    import psutil

    try:
        return len(psutil.Process().cpu_affinity())
    except (AttributeError, OSError, psutil.Error):
        return psutil.cpu_count() or os.cpu_count() or 1


def start_method() -> str:
    """How worker processes are started: as this program has chosen, else the system's default.

    Asking multiprocessing for its default context would fix that for the whole program.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or multiprocessing.get_all_start_methods()[0]


def current_device(device: "torch.device") -> AbstractContextManager[object]:
    """Make a GPU the current one: it gets what torch, Triton and worker threads do on no other."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@contextmanager
def worker_signals() -> Iterator[None]:
    """Restore the handler of SIGCHLD, which torch's DataLoader replaces when it starts workers."""
    from torch.utils.data._utils import signal_handling as dataloader

    if not hasattr(signal, "SIGCHLD") or getattr(dataloader, FLAG, True):
        yield  # no such signal, or the program has used workers of its own
        return
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if getattr(dataloader, FLAG) and before is not None:
            signal.signal(signal.SIGCHLD, before)
            setattr(dataloader, FLAG, False)


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device, or this machine, has not enough memory.

    For the CPU and for mps, torch has no class of its own for it.
    """
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    texts = ("can't allocate memory", "not enough memory", "backend out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def free_cached_memory(device: "torch.device") -> None:
    """Give back the memory that torch keeps for later: its pieces may be too small for one tensor.

    The CPU keeps none.
    """
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def synchronize(device: "torch.device") -> None:
    """Wait until the device has finished its work."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def numerics(device: "torch.device", precision: str) -> Iterator[None]:
    """Compute in a named precision, one of PRECISIONS; what was set before is set again at the end.

    ``fp32`` is IEEE single precision in every library, without autocast, and without TF32 or
    bfloat16 inside of matrix products and convolutions; ``tf32`` allows TF32 on a CUDA device.
    """
    import torch

    name = None if precision == INT8 else AUTOCAST[precision]
    dtype = None if name is None else getattr(torch, name)
    with (
        _float32_precision(device.type == "cuda", tf32=precision == "tf32"),
        torch.autocast(device.type, dtype, enabled=dtype is not None),
    ):
        yield


Setting = tuple[Any, str, bool | str]
"""Where torch keeps a setting: object, attribute, value."""


@contextmanager
def _float32_precision(cuda: bool, *, tf32: bool) -> Iterator[None]:
    """Set how float32 operations compute, and restore it.

    torch has two interfaces to this: the float32 matmul precision with ``cudnn.allow_tf32``, and
    ``fp32_precision`` since 2.9. torch raises an error in some operations where the two disagree,
    so both are set, the older one first, because it changes the newer one too.

    Those of cuDNN are set for CUDA only: where no program has set them, they have torch's own
    default, which follows ``torch.backends.fp32_precision`` and cannot be set again. Afterwards
    they have the same value, but do not follow any more.
    """
    before: list[Setting] = []
    try:
        before = _read_settings(cuda)
        _write(_wanted_settings(cuda, tf32))
        yield
    finally:
        _write(before)


def _wanted_settings(cuda: bool, tf32: bool) -> list[Setting]:
    import torch

    on_gpu, on_cpu = _float32_operators(cuda)
    wanted: list[Setting] = [(_MatmulPrecision(), "value", "high" if tf32 else "highest")]
    if cuda:
        wanted.append((torch.backends.cudnn, "allow_tf32", tf32))
    wanted += [(place, "fp32_precision", "tf32" if tf32 else "ieee") for place in on_gpu]
    return wanted + [(place, "fp32_precision", "ieee") for place in on_cpu]


def _read_settings(cuda: bool) -> list[Setting]:
    """The present settings, in the order in which they are to be restored.

    The older interface cannot be read where the two disagree, so the newer one is set to IEEE.
    """
    import torch

    newer: list[Setting] = []
    on_gpu, on_cpu = _float32_operators(cuda)
    for place, value in _read_newer([*on_gpu, *on_cpu]):
        newer.append((place, "fp32_precision", value))
    for place in (*on_gpu, *on_cpu):
        place.fp32_precision = "ieee"
    older: list[Setting] = [(_MatmulPrecision(), "value", _MatmulPrecision().value)]
    if cuda:
        older.append((torch.backends.cudnn, "allow_tf32", _cudnn_allows_tf32()))
    return older + newer


def _float32_operators(cuda: bool) -> tuple[list[Any], list[Any]]:
    """torch's objects with the ``fp32_precision`` of operators, on a GPU and on the CPU.

    Before torch 2.9 there are none. Matrix products are those of both, because the older interface
    sets them at once; cuDNN's convolutions and recurrent layers are for CUDA only.
    """
    import torch

    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):
        return [], []
    of_cudnn = [backends.cudnn.conv, backends.cudnn.rnn] if cuda else []
    on_cpu = [getattr(backends.mkldnn, name) for name in ("matmul", "conv", "rnn")]
    return [backends.cuda.matmul, *of_cudnn], on_cpu


def _read_newer(operators: list[Any]) -> list[tuple[Any, str]]:
    """The ``fp32_precision`` of each operator as it is set.

    One that is not set reads as that of its backend, or as the generic one. So these are changed
    for a moment, to see which operators follow.
    """
    import torch

    backends: Any = torch.backends
    if not operators:
        return []
    parents: list[Setting] = []
    for place in (backends, backends.cudnn):
        parents.append((place, "fp32_precision", place.fp32_precision))
        place.fp32_precision = "none"
    alone = [(place, place.fp32_precision) for place in operators]
    backends.fp32_precision = "ieee"
    found = []
    for place, value in alone:
        if place.fp32_precision == value or value == "none":
            found.append((place, value))
        # Else it is torch's default for cuDNN, which the older interface sets again.
    _write(parents)
    return found


def _cudnn_allows_tf32() -> bool:
    """The older setting for cuDNN, while the newer ones are IEEE."""
    from torch.backends import cudnn

    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:  # raised where it disagrees with the newer ones
        return True


def _write(settings: list[Setting]) -> None:
    for place, name, value in settings:
        setattr(place, name, value)


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
