"""Which exact variant of a VAN is fastest on this machine: a short trial.

The trial's network is van_b0 with one block per stage and random weights, because the answer
depends on the machine more than on the model. Another variant than the usual one is chosen only if
it is clearly faster, so that a machine on which both are about as fast gets the same choice each
time. A variant that raises an exception here, or gives other logits, is not chosen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter

import torch
from torch import Tensor

from vanbench.devices import numerics, synchronize
from vanbench.inference.fused_conv import can_use_triton
from vanbench.inference.optimized import OptimizedVAN, default_config, optimize
from vanbench.inference.packed import packs_for
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.inference.trial_cache import TrialCache, machine
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_normal, random_weights
from vanbench.model.van import VAN
from vanbench.outside.safe_text import for_terminal
from vanbench.typed_json import to_json

CLEARLY = 1.15  # how many times faster another variant must be
ROUNDS = 2  # after one to warm up
IMAGES = 4  # for each thread
RESOLUTION = 224
EQUAL = 1e-4  # the largest difference of logits in float32, relative to the largest logit


@dataclass(frozen=True)
class AutotuneResult:
    """The config, and the least seconds that each variant took for the trial's images.

    ``dropped`` has the variants that cannot be used, and why.
    """

    config: RewriteConfig
    seconds: Mapping[str, float]
    dropped: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """One line for people."""
        tried = [f"{name} {1e3 * s:.0f} ms" for name, s in self.seconds.items()]
        tried += [f"{name} not used ({reason})" for name, reason in self.dropped.items()]
        return f"chose {to_json(self.config)} after a trial: {', '.join(tried)}"


@dataclass(frozen=True)
class Timed:
    """The least seconds that a variant took, and its logits."""

    seconds: float
    logits: Tensor


def resolve_config(
    given: RewriteConfig | None,
    device: torch.device,
    precision: str,
    compile: bool,
    on_message: Callable[[str], None],
    trials: TrialCache | None = None,
) -> RewriteConfig:
    """The given config, or the trial's, as they can run; ``on_message`` gets the trial's outcome.

    The outcome of an earlier trial comes from ``trials``, and a new one is kept there. The compiler
    cannot optimise packed kernels, so they are not used with compiling. They are for float32, and
    for bfloat16 where the processor multiplies such numbers; those of Triton are used only where
    it is. The trial is made in float32, uncompiled.
    """
    if given is None:
        trial = _kept_or_made(device, trials or TrialCache())
        on_message(trial.describe())
        given = trial.config
    return replace(
        given,
        pack=given.pack and not compile and packs_for(precision),
        triton=given.triton and can_use_triton(device),
    )


def _kept_or_made(device: torch.device, trials: TrialCache) -> AutotuneResult:
    key = {"trial": "rewrite", **machine(device)}
    found = trials.get(AutotuneResult, key)
    if found is None:
        found = tune(device)
        trials.put(key, found)
    return found


def tune(device: torch.device) -> AutotuneResult:
    """The config for this machine and its present number of threads, in a second or two.

    A second call in the same process, with as many threads, gives the same result at once.
    """
    return _tune(device, torch.get_num_threads())


@cache
def _tune(device: torch.device, threads: int) -> AutotuneResult:
    usual = default_config(device)
    variants = candidates(usual, device)
    with numerics(device, "fp32"):  # not in the caller's precision
        timed, dropped = race(trial_model(), trial_images(device), variants, device)
        for name in list(timed)[1:]:
            if differs(timed, name):
                dropped[name] = "its logits differ"
                del timed[name]
    seconds = {name: each.seconds for name, each in timed.items()}
    return AutotuneResult(choose(usual, variants, seconds), seconds, dropped)


def candidates(usual: RewriteConfig, device: torch.device) -> dict[str, RewriteConfig]:
    """The variants worth trying on this kind of device, by name; the usual one first."""
    native = replace(usual, regroup=(False,) * 4)
    if device.type != "cpu":
        others = {"native dilation": native}
        if can_use_triton(device):
            others["triton"] = replace(native, triton=True)
        return {"usual": usual, **others}
    return {
        "usual": usual,
        "unpacked": replace(usual, pack=False),
        "micro-batch 2": replace(usual, micro_batch=2),
        "cores together": replace(usual, parallel=False),
        "native dilation": native,
    }


def choose(
    usual: RewriteConfig, variants: Mapping[str, RewriteConfig], seconds: Mapping[str, float]
) -> RewriteConfig:
    """The fastest variant, if it is clearly faster than the usual one.

    >>> other = RewriteConfig(micro_batch=2)
    >>> variants = {"usual": RewriteConfig(), "other": other}
    >>> choose(RewriteConfig(), variants, {"usual": 1.0, "other": 0.95}) == RewriteConfig()
    True
    """
    best = min(seconds, key=seconds.__getitem__)
    return variants[best] if CLEARLY * seconds[best] < seconds["usual"] else usual


def trial_model() -> VAN:
    """The trial's network, on the CPU."""
    return random_weights(replace(ARCHITECTURES["van_b0"], depths=(1, 1, 1, 1)))


def trial_images(device: torch.device) -> Tensor:
    """As many random images as show the speed of this kind of device, on the CPU."""
    images = IMAGES * torch.get_num_threads() if device.type == "cpu" else 16 * IMAGES
    generator = torch.Generator().manual_seed(0)
    return random_normal(images, 3, RESOLUTION, RESOLUTION, generator=generator)


def race(
    model: VAN, images: Tensor, variants: Mapping[str, RewriteConfig], device: torch.device
) -> tuple[dict[str, Timed], dict[str, str]]:
    """What each variant took, and why the others failed; they take turns.

    What the first variant raises, the usual one, is raised here too.
    """
    model, x = model.to(device), images.to(device)
    runners: dict[str, OptimizedVAN] = {}
    logits: dict[str, Tensor] = {}
    failed: dict[str, str] = {}
    for name, config in variants.items():
        try:
            runner = optimize(model, config=config)
            logits[name] = runner(x)
            synchronize(device)
        except Exception as error:  # Triton's, its compiler's or CUDA's
            if not runners:
                raise
            failed[name] = _reason(error)
        else:
            runners[name] = runner
    rounds = [{name: _seconds(fast, x) for name, fast in runners.items()} for _ in range(ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in runners}
    return {name: Timed(least[name], logits[name]) for name in runners}, failed


def differs(timed: Mapping[str, Timed], name: str) -> bool:
    """Whether a variant's logits are others than those of the first, by more than rounding."""
    expected, found = next(iter(timed.values())).logits, timed[name].logits
    return not bool((found - expected).abs().max() <= EQUAL * expected.abs().max())


def _seconds(fast: OptimizedVAN, x: Tensor) -> float:
    start = perf_counter()
    fast(x)
    synchronize(x.device)
    return perf_counter() - start


def _reason(error: Exception) -> str:
    """What was raised, in one line."""
    return for_terminal(f"{type(error).__name__}: {' '.join(str(error).split())}", most=200)
