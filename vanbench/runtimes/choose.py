"""Which runtime computes a model: the one that was asked for, or the fastest that is right.

``auto`` looks at this very model over a few images of the data set. A runtime is right if no logit
is farther from the reference's than rounding explains; two classes can then change places only
where their logits are equal up to rounding. Of those that are right the fastest is taken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from vanbench.devices import INT8, numerics, synchronize
from vanbench.errors import DependencyError, DeviceError, VanbenchError, unexpected_as_errors
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.inference.trial_cache import TrialCache, machine
from vanbench.model.architecture import Architecture
from vanbench.model.van import VAN
from vanbench.report.records import Calibration, RuntimeTrial
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import COMPILED, ONNXRUNTIME, OPENVINO, OPTIMIZED, REFERENCE
from vanbench.runtimes.registry import RUNTIMES

CONTENDERS = (OPTIMIZED, ONNXRUNTIME, OPENVINO)
"""What ``auto`` chooses from, besides the reference; to compile takes minutes."""

RACED = ("fp32", "tf32")
"""The precisions in which any runtime gives the same predictions, so that the fastest is taken."""

IN_ORDER = (OPENVINO, ONNXRUNTIME, OPTIMIZED)
"""The first of these computes in another precision, in which each gives other predictions."""

REWRITTEN = (OPTIMIZED, COMPILED)
"""The runtimes that are made of the exact rewrite."""

MOST_ERROR = {"fp32": 5e-5, "tf32": 5e-3, "fp16": 5e-3, "bf16": 3e-2, "int8": 0.5}
"""The largest difference from the reference's logit in fp32, relative to the largest logit."""

SECONDS = 1.5  # of a race, after a round to warm up; a slow model takes longer
ROUNDS = 2, 20  # at least and at most
IMAGES = 4  # for each thread


@dataclass(frozen=True)
class Chosen:
    """The runtime that computes a model, and how it came to that.

    ``rewrite`` is how the exact rewrite runs, where that is what computes. ``error`` is the
    largest relative difference from the reference; None where it was not looked at.
    ``calibration`` is what int8 was calibrated on. ``precision`` is that of an exported file, which
    may not be the one that was asked for.
    """

    runtime: str
    rewrite: RewriteConfig | None = None
    error: float | None = None
    trial: RuntimeTrial | None = None
    calibration: Calibration | None = None
    precision: str | None = None


def choose(
    model: VAN,
    architecture: Architecture,
    images: Tensor,
    setting: Setting,
    trials: TrialCache,
    *,
    worth_a_trial: bool = True,
    preferred: Collection[str] = (),
) -> tuple[nn.Module, Chosen]:
    """The model in the fastest runtime that is right, and which that is.

    Args:
        model: In eval mode, on the setting's device.
        architecture: The model's; with other classes it is as fast.
        images: A few normalised images of the data set, (n, 3, side, side), on the device.
        setting: How to compute.
        trials: Where outcomes of trials are kept.
        worth_a_trial: Whether so much is to be computed that it pays to prepare all runtimes.
        preferred: Runtimes that have stored predictions of this model. The first of them that is
            right is taken, so that an interrupted run goes on where it was.

    Raises what ``contenders`` raises, and DeviceError for int8, which the reference cannot compute
    in, if none is right.
    """
    names = contenders(setting.device, setting.precision)
    check, key = _Check(model, images, setting), _key(architecture, setting, names)
    raced = setting.precision in RACED
    seconds = (trials.get(dict[str, float], key) or {}) if raced else {}
    first = [name for name in preferred if name in names] or _fastest_first(seconds)
    if not raced:
        first = first or names
    for name in first or ([] if worth_a_trial else names[:1]):
        if name in names and check.is_right(name):
            return check.chosen(name, seconds)
    right = [name for name in names if check.is_right(name)]
    if not right and setting.precision == INT8:
        reasons = "; ".join(f"{name}: {why}" for name, why in check.refused.items())
        raise DeviceError(f"no runtime computes this model in int8 ({reasons})")
    if not right:
        return check.chosen(REFERENCE, {})
    seconds = _race({name: check.ready[name] for name in right}, images, setting)
    if not check.refused and seconds:
        trials.put(key, seconds)
    return check.chosen(_fastest_first(seconds)[0] if seconds else right[0], seconds)


def as_asked(model: VAN, setting: Setting, runtime: str) -> tuple[nn.Module, Chosen]:
    """The model in a runtime; DependencyError or DeviceError where it cannot run."""
    RUNTIMES[runtime].check(setting.device, setting.precision)
    rewrite = setting.rewrite if runtime in REWRITTEN else None
    return RUNTIMES[runtime].prepare(model, setting), Chosen(runtime, rewrite)


def contenders(device: torch.device, precision: str) -> list[str]:
    """The runtimes that ``auto`` chooses from here, in the order in which they are looked at.

    If there is none: DependencyError with the command that installs one, else DeviceError.
    """
    found: list[str] = []
    errors: list[VanbenchError] = []
    for name in CONTENDERS if precision in RACED else IN_ORDER:
        try:
            RUNTIMES[name].check(device, precision)
        except VanbenchError as error:
            errors.append(error)
        else:
            found.append(name)
    if found:
        return found
    if device.type != "cpu":  # where installing a package would not help
        errors = [error for error in errors if isinstance(error, DeviceError)] or errors
        raise errors[0]
    lacking = [error for error in errors if isinstance(error, DependencyError)]
    raise (lacking or errors)[-1]  # the last is ONNX Runtime's, which is all that int8 needs


def _fastest_first(seconds: Mapping[str, float]) -> list[str]:
    return sorted(seconds, key=seconds.__getitem__)


class _Check:
    """Prepares runtimes and compares them with the reference, each once.

    ``ready`` has the modules of those that are right, ``refused`` why others are not.
    """

    def __init__(self, model: VAN, images: Tensor, setting: Setting):
        self.model, self.images, self.setting = model, images, setting
        self.expected = _logits(model, images, setting.device, "fp32")
        self.ready: dict[str, nn.Module] = {}
        self.errors: dict[str, float] = {}
        self.refused: dict[str, str] = {}

    def is_right(self, name: str) -> bool:
        """Whether a runtime computes this model, and gives the reference's logits."""
        if name not in self.ready and name not in self.refused:
            try:
                with unexpected_as_errors():
                    self._prepare(name)
            except VanbenchError as error:
                if not RUNTIMES[name].extra:
                    raise  # a bug, or no memory: not a library that cannot compute this model
                self.refused[name] = str(error)
        return name in self.ready

    def _prepare(self, name: str) -> None:
        device, precision = self.setting.device, self.setting.precision
        module = RUNTIMES[name].prepare(self.model, self.setting)
        error = relative_error(_logits(module, self.images, device, precision), self.expected)
        most = MOST_ERROR[precision]
        if error <= most:  # false also for NaN
            self.ready[name], self.errors[name] = module, error
        else:
            self.refused[name] = (
                f"its logits differ from the reference's by {error:.1e} of the largest one, "
                f"and {most:.0e} is allowed"
            )

    def chosen(self, name: str, seconds: Mapping[str, float]) -> tuple[nn.Module, Chosen]:
        """The module of a runtime, with how it was chosen."""
        rewrite = self.setting.rewrite if name in REWRITTEN else None
        trial = RuntimeTrial(self.refused, seconds)
        return self.ready.get(name, self.model), Chosen(name, rewrite, self.errors.get(name), trial)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The largest difference of two logits, relative to the largest one; NaN if one is NaN."""
    return float((found - expected).abs().max() / expected.abs().max())


def _race(modules: Mapping[str, nn.Module], images: Tensor, setting: Setting) -> dict[str, float]:
    """The least seconds that each took for a batch, taken in turns; none if there is only one."""
    if len(modules) == 1:
        return {}
    x = _batch(images, setting.device)
    least = dict.fromkeys(modules, float("inf"))
    with numerics(setting.device, setting.precision), torch.inference_mode():
        for module in modules.values():
            _seconds(module, x)
        end = perf_counter() + SECONDS
        for number in range(ROUNDS[1]):
            if number >= ROUNDS[0] and perf_counter() > end:
                break
            for name, module in modules.items():
                least[name] = min(least[name], _seconds(module, x))
    return least


def _seconds(module: nn.Module, x: Tensor) -> float:
    start = perf_counter()
    module(x)
    synchronize(x.device)
    return perf_counter() - start


def _batch(images: Tensor, device: torch.device) -> Tensor:
    """As many of the images, again and again, as show the speed of a batch."""
    wanted = IMAGES * (torch.get_num_threads() if device.type == "cpu" else 16)
    return images.repeat(-(-wanted // len(images)), 1, 1, 1)[:wanted]


def _logits(module: nn.Module, images: Tensor, device: torch.device, precision: str) -> Tensor:
    with numerics(device, precision), torch.inference_mode():
        logits: Tensor = module(images)
    return logits.float()


def _key(architecture: Architecture, setting: Setting, names: Sequence[str]) -> dict[str, Any]:
    """What the fastest runtime depends on."""
    return {
        "trial": "runtime",
        "architecture": {**architecture.as_dict(), "num_classes": None},
        "resolution": setting.resolution,
        "precision": setting.precision,
        "versions": {name: RUNTIMES[name].versions() for name in names},
        **machine(setting.device),
    }
