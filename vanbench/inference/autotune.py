"""Which of the exact forms of a VAN is fastest here: a short trial, with one block a stage.

The trial's network is a shortened van_b0 with random weights, for the answer is the machine's, not
the model's. A form other than the usual one is chosen only when it is clearly faster, so that a
machine that is about as fast either way gets the same choice each time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import torch

from vanbench.checkpoints.load import build
from vanbench.inference.optimized import Choices, Fast, default_choices, optimize
from vanbench.model.architecture import ARCHITECTURES

CLEARLY = 1.15  # how many times faster another form must be
ROUNDS = 3
IMAGES = 4  # for each thread
RESOLUTION = 224


@dataclass(frozen=True)
class Trial:
    """The choices, and the least seconds that each form took for the trial's images."""

    choices: Choices
    seconds: dict[str, float]

    def describe(self) -> str:
        """One line for people."""
        tried = ", ".join(f"{name} {1e3 * s:.0f} ms" for name, s in self.seconds.items())
        return f"chose {self.choices.as_dict()} after a trial: {tried}"


def settle_choices(
    given: Choices | None,
    device: torch.device,
    precision: str,
    compile: bool,
    say: Callable[[str], None] = lambda message: None,
) -> Choices:
    """The given choices, or the trial's, as they can run; ``say`` is told the trial's outcome.

    Packed kernels compute in float32 and are closed to the compiler, so another precision and
    compiling go without them. The trial is made in float32, uncompiled.
    """
    if given is None:
        trial = tune(device)
        say(trial.describe())
        given = trial.choices
    return replace(given, pack=given.pack and precision == "fp32" and not compile)


@cache
def tune(device: torch.device) -> Trial:
    """The choices for this machine and its present number of threads, in a second or two."""
    forms = candidates(default_choices(device), device)
    seconds = _race(device, forms)
    return Trial(choose(default_choices(device), forms, seconds), seconds)


def candidates(usual: Choices, device: torch.device) -> dict[str, Choices]:
    """The forms worth trying on this kind of device, by name; the usual one first."""
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


def choose(usual: Choices, forms: dict[str, Choices], seconds: dict[str, float]) -> Choices:
    """The fastest form, if it is clearly faster than the usual one.

    >>> other = Choices(micro_batch=2)
    >>> seconds = {"usual": 1.0, "other": 0.95}
    >>> choose(Choices(), {"usual": Choices(), "other": other}, seconds) == Choices()
    True
    """
    best = min(seconds, key=seconds.__getitem__)
    return forms[best] if CLEARLY * seconds[best] < seconds["usual"] else usual


def _race(device: torch.device, forms: dict[str, Choices]) -> dict[str, float]:
    """The least seconds of each form, in interleaved rounds after one to warm up."""
    short = replace(ARCHITECTURES["van_b0"], depths=(1, 1, 1, 1))
    model = build(short).to(device)
    runners = {name: optimize(model, choices=choices) for name, choices in forms.items()}
    images = IMAGES * torch.get_num_threads() if device.type == "cpu" else 16 * IMAGES
    x = torch.randn(images, 3, RESOLUTION, RESOLUTION, device=device)
    rounds = [{name: _seconds(fast, x) for name, fast in runners.items()} for _ in range(ROUNDS)]
    return {name: min(each[name] for each in rounds[1:]) for name in forms}


def _seconds(fast: Fast, x: torch.Tensor) -> float:
    start = perf_counter()
    fast(x)
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
    return perf_counter() - start
