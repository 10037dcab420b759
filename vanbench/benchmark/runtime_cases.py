"""Which runtimes are measured in which precisions, and why others are not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from vanbench.benchmark.bench import BenchOptions
from vanbench.errors import DeviceError, VanbenchError
from vanbench.evaluation.precision import check_precision
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.report.records import FP32
from vanbench.report.runtime_records import ALL, LEFT_OUT, NOT_INSTALLED, RuntimeRow
from vanbench.runtimes import names
from vanbench.runtimes.interface import Runtime
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.entries import Entry

COMPILES = "it compiles for minutes; --compile measures it too"


@dataclass(frozen=True)
class Case:
    """A runtime in a precision."""

    runtime: str
    precision: str


FIRST = Case(names.REFERENCE, FP32)
"""What the others are compared with."""


def resolve_runtime(runtime: str | None, *, compile: bool) -> tuple[str | None, bool]:
    """Which runtime to measure beside the reference, and whether to compile.

    None is the usual benchmark, whose fast model is the optimised or the compiled one. ValueError
    for compiling another one.
    """
    if runtime == names.COMPILED:
        return None, True
    if compile and runtime not in (None, ALL):
        raise ValueError(f"compile is the runtime {names.COMPILED}, found the runtime {runtime}")
    usual = runtime in (None, names.OPTIMIZED, names.AUTO)
    return (None if usual else runtime), compile


def cases(runtime: str, precision: str | None, options: BenchOptions) -> list[Case]:
    """What to measure: the reference in fp32 first, then a runtime, or ``all`` that can run.

    DependencyError and DeviceError if a runtime was named that cannot, or no runtime has the
    precision.
    """
    device = options.device
    if runtime != ALL:
        chosen = RUNTIMES[runtime]
        for one in (precision,) if precision else (FP32,):
            _check(chosen, device, one)
        found = [Case(runtime, one) for one in _precisions(chosen, precision, device)]
    else:
        found = [
            Case(name, one)
            for name in _included(options)
            for one in _precisions(RUNTIMES[name], precision, device)
            if not RUNTIMES[name].missing()
        ]
        if not found and precision:
            _check(RUNTIMES[names.REFERENCE], device, precision)
    return list(dict.fromkeys([FIRST, *found]))


def van_of(entry: Entry) -> Architecture:
    """The architecture of a VAN; VanbenchError for another network, which no runtime knows."""
    if isinstance(entry.architecture, TorchvisionArchitecture):
        raise VanbenchError(
            f"{entry.name} is no VAN, and runtimes are for VANs",
            remedy="Leave out --runtime: it is measured as it is.",
        )
    return entry.architecture


def not_measured(runtime: str, options: BenchOptions) -> Iterator[RuntimeRow]:
    """The rows of ``all`` without figures: runtimes that are not installed, or are left out."""
    if runtime != ALL:
        return
    for name, found in RUNTIMES.items():
        if found.missing():
            reason = f"pip install 'vanbench[{found.extra}]'"
            yield RuntimeRow(name, None, NOT_INSTALLED, reason, found.versions(), None, None)
        elif name not in _included(options):
            yield RuntimeRow(name, None, LEFT_OUT, COMPILES, found.versions(), None, None)


def _included(options: BenchOptions) -> list[str]:
    return [name for name in names.NAMES if options.compile or name != names.COMPILED]


def _precisions(runtime: Runtime, wanted: str | None, device: torch.device) -> Sequence[str]:
    """The wanted one, or all; those that the runtime has on this device."""
    return [
        one
        for one in ((wanted,) if wanted else runtime.precisions)
        if _can(runtime, device, one) and (wanted or not _emulated(runtime, device, one))
    ]


def _emulated(runtime: Runtime, device: torch.device, precision: str) -> bool:
    """fp16 of torch on a CPU, which is up to ten times slower than fp32."""
    return precision == "fp16" and device.type == "cpu" and "torch" in runtime.distributions


def _can(runtime: Runtime, device: torch.device, precision: str) -> bool:
    if runtime.missing():
        return False
    try:
        _check(runtime, device, precision)
    except DeviceError:
        return False
    return True


def _check(runtime: Runtime, device: torch.device, precision: str) -> None:
    runtime.check(device, precision)
    check_precision(device, precision)
