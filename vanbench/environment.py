"""What a number was measured on, without anything that names the machine or its user."""

import platform
import subprocess
import sys
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from vanbench._version import Commit, __version__, commit_of
from vanbench.devices import available_cores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Environment:
    """Versions, processor, threads and device of a process; None for a package that is absent.

    ``commit`` is the hash of the commit of vanbench's code, ``dirty`` whether files of the package
    differ from it. Both are None where neither the build nor git knows, and in records that were
    written before they were noted.
    """

    python: str
    """Version of Python."""
    vanbench: str | None
    """Version of vanbench; null if it is not known."""
    torch: str | None
    """Version of torch; null if it is absent."""
    torchvision: str | None
    """Version of torchvision; null if it is absent."""
    fvcore: str | None
    """Version of fvcore; null if it is absent."""
    pillow: str | None
    """Version of Pillow; null if it is absent."""
    numpy: str | None
    """Version of NumPy; null if it is absent."""
    system: str
    """The operating system, with its release and architecture."""
    cpu: str
    """The processor."""
    cores: int
    """Processor cores that the process may use."""
    threads: int
    """Threads that torch computed with."""
    device: str
    """The kind of device that computed, such as ``cpu`` or ``cuda``."""
    gpu: str | None
    """The GPU that computed; null if none did."""
    cuda: str | None
    """Version of CUDA; null if no GPU computed."""
    _: KW_ONLY
    commit: str | None = None
    """Commit of vanbench's code; null if it is not known."""
    dirty: bool | None = None
    """Whether files of vanbench differed from that commit; null if it is not known."""


def environment(device: "torch.device") -> Environment:
    """The environment of this process, computing on ``device``."""
    import torch

    code = _code()
    return Environment(
        python=platform.python_version(),
        vanbench=__version__,
        torch=_version("torch"),
        torchvision=_version("torchvision"),
        fvcore=_version("fvcore"),
        pillow=_version("pillow"),
        numpy=_version("numpy"),
        system=f"{platform.system()} {platform.machine()}",
        cpu=cpu_name(),
        cores=available_cores(),
        threads=torch.get_num_threads(),
        device=device.type,
        gpu=_gpu_name(device),
        cuda=torch.version.cuda if device.type == "cuda" else None,
        commit=code.commit if code else None,
        dirty=code.dirty if code else None,
    )


def today() -> str:
    """The date in UTC, as ISO 8601."""
    return datetime.now(UTC).date().isoformat()


def cpu_name() -> str:
    """The processor's name as Linux, macOS or Windows reports it."""
    try:
        name = _reported_cpu_name()
    except (OSError, subprocess.SubprocessError):
        name = ""
    return name or platform.processor() or "unknown"


def _reported_cpu_name() -> str:
    """The name of the model, empty where the system does not tell; OSError if it cannot be read."""
    if sys.platform == "darwin":
        ask = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(ask, capture_output=True, text=True, timeout=10).stdout.strip()
    if sys.platform == "win32":
        import winreg

        key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as values:
            return str(winreg.QueryValueEx(values, "ProcessorNameString")[0]).strip()
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else ""


def _gpu_name(device: "torch.device") -> str | None:
    """The GPU's name; Apple's is part of its processor."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name() if device.type == "mps" else None


@cache
def _code() -> Commit | None:
    """The commit of the code that this process started with."""
    return commit_of(Path(__file__).parent)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
