"""What a runtime is: something that computes a VAN's logits, given its weights.

A further runtime is one module with a subclass of ``Runtime``, and a line in ``registry``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from typing import ClassVar

import torch
from torch import Tensor, nn

from vanbench.errors import DependencyError, DeviceError
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.van import VAN
from vanbench.runtimes.names import QUANTISED


@dataclass(frozen=True)
class Setting:
    """How a runtime is to compute.

    ``resolution`` is the side of the square images in pixels. ``rewrite`` is how the exact rewrite
    runs, for the runtimes that are made of it. ``calibration`` has normalised images (n, 3, side,
    side), which int8 needs (``quantize``). CPU threads are those of torch when the model is
    prepared.
    """

    device: torch.device
    precision: str = "fp32"
    resolution: int = 224
    rewrite: RewriteConfig | None = None
    calibration: Tensor | None = None


class Runtime(ABC):
    """Computes the logits of a VAN.

    ``distributions`` are the packages it needs, as they are imported; ``extra`` is the extra of
    vanbench that installs them, empty where vanbench needs them itself.
    """

    name: ClassVar[str]
    extra: ClassVar[str] = ""
    distributions: ClassVar[tuple[str, ...]]
    precisions: ClassVar[tuple[str, ...]]

    @abstractmethod
    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """A module that maps (N, 3, side, side) to logits (N, classes), for any N.

        ``model`` is in eval mode on the setting's device and stays as it is. ``check`` has passed.
        """

    def refuse(self, device: torch.device, precision: str) -> None:
        """DeviceError if it cannot compute on this device in this precision."""
        if precision not in self.precisions:
            raise DeviceError(
                f"the runtime {self.name} does not compute in {precision}",
                remedy=f"It computes in {', '.join(self.precisions)}."
                + f" For int8: --runtime {' or '.join(QUANTISED)}." * (precision == "int8"),
            )

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.distributions if find_spec(name) is None]

    def versions(self) -> dict[str, str]:
        """The versions of its packages, those that are installed."""
        found = {name: _version(name) for name in self.distributions}
        return {name: text for name, text in found.items() if text is not None}

    def check(self, device: torch.device, precision: str) -> None:
        """DependencyError with the command that installs it; DeviceError where it cannot run."""
        if missing := self.missing():
            raise DependencyError(
                f"the runtime {self.name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed",
                remedy=f"Install it with: pip install 'vanbench[{self.extra}]'",
            )
        self.refuse(device, precision)


def only_on_cpu(runtime: Runtime, device: torch.device) -> None:
    """DeviceError for a runtime that vanbench runs on the CPU only."""
    if device.type != "cpu":
        raise DeviceError(
            f"the runtime {runtime.name} computes on the CPU here, found {device}",
            remedy="Use --device cpu, or another --runtime.",
        )


def _version(module: str) -> str | None:
    """The version of the package that has a module: not always is it called the same."""
    try:
        return version(module)
    except PackageNotFoundError:
        others = packages_distributions().get(module, [])
        return version(others[0]) if others else None
