"""Which exact variant of a VAN is fastest on this machine: a short trial.

The trial's network is van_b0 with one block per stage and random weights, because the answer
depends on the machine more than on the model. Another variant than the usual one is chosen only if
it is clearly faster, so that a machine on which both are about as fast gets the same choice each
time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import torch

from vanbench.devices import numerics, synchronize
from vanbench.inference.optimized import OptimizedVAN, default_config, optimize
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_normal, random_weights
from vanbench.typed_json import to_json

CLEARLY = 1.15  # how many times faster another variant must be
ROUNDS = 3
IMAGES = 4  # for each thread
RESOLUTION = 224


@dataclass(frozen=True)
class AutotuneResult:
    """The config, and the least seconds that each variant took for the trial's images."""

    config: RewriteConfig
    seconds: dict[str, float]

    def describe(self) -> str:
        """One line for people."""
        tried = ", ".join(f"{name} {1e3 * s:.0f} ms" for name, s in self.seconds.items())
        return f"chose {to_json(self.config)} after a trial: {tried}"


def resolve_config(
    given: RewriteConfig | None,
    device: torch.device,
    precision: str,
    compile: bool,
    on_message: Callable[[str], None],
) -> RewriteConfig:
    """The given config, or the trial's, as they can run; ``on_message`` gets the trial's outcome.

    Packed kernels compute in float32, and the compiler cannot optimise them, so they are not used
    with another precision or with compiling. The trial is made in float32, uncompiled.
    """
    if given is None:
        trial = tune(device)
        on_message(trial.describe())
        given = trial.config
    return replace(given, pack=given.pack and precision == "fp32" and not compile)


def tune(device: torch.device) -> AutotuneResult:
    """The config for this machine and its present number of threads, in a second or two.

    A second call in the same process, with as many threads, gives the same result at once.
    """
    return _tune(device, torch.get_num_threads())


@cache
def _tune(device: torch.device, threads: int) -> AutotuneResult:
    variants = candidates(default_config(device), device)
    with numerics(device, "fp32"):  # not in the caller's precision
        seconds = _race(device, variants)
    return AutotuneResult(choose(default_config(device), variants, seconds), seconds)


def candidates(usual: RewriteConfig, device: torch.device) -> dict[str, RewriteConfig]:
    """The variants worth trying on this kind of device, by name; the usual one first."""
    native = replace(usual, regroup=(False,) * 4)
    if device.type != "cpu":
        return {"usual": usual, "native dilation": native}
    return {
        "usual": usual,
        "unpacked": replace(usual, pack=False),
        "micro-batch 2": replace(usual, micro_batch=2),
        "cores together": replace(usual, parallel=False),
        "native dilation": native,
    }


def choose(
    usual: RewriteConfig, variants: dict[str, RewriteConfig], seconds: dict[str, float]
) -> RewriteConfig:
    """The fastest variant, if it is clearly faster than the usual one.

    >>> other = RewriteConfig(micro_batch=2)
    >>> variants = {"usual": RewriteConfig(), "other": other}
    >>> choose(RewriteConfig(), variants, {"usual": 1.0, "other": 0.95}) == RewriteConfig()
    True
    """
    best = min(seconds, key=seconds.__getitem__)
    return variants[best] if CLEARLY * seconds[best] < seconds["usual"] else usual


def _race(device: torch.device, variants: dict[str, RewriteConfig]) -> dict[str, float]:
    """The least seconds of each variant; they take turns, after one round to warm up."""
    short = replace(ARCHITECTURES["van_b0"], depths=(1, 1, 1, 1))
    model = random_weights(short).to(device)
    runners = {name: optimize(model, config=config) for name, config in variants.items()}
    images = IMAGES * torch.get_num_threads() if device.type == "cpu" else 16 * IMAGES
    generator = torch.Generator().manual_seed(0)
    x = random_normal(images, 3, RESOLUTION, RESOLUTION, generator=generator).to(device)
    rounds = [{name: _seconds(fast, x) for name, fast in runners.items()} for _ in range(ROUNDS)]
    return {name: min(each[name] for each in rounds[1:]) for name in variants}


def _seconds(fast: OptimizedVAN, x: torch.Tensor) -> float:
    start = perf_counter()
    fast(x)
    synchronize(x.device)
    return perf_counter() - start
