"""The measurements: each returns seconds, ratios and bytes as they go into project.json."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.material import checkpoint, photograph
from vanbench.benchmark.bench import duration, interleaved, summarize
from vanbench.benchmark.memory import high_water, in_new_process, max_resident
from vanbench.checkpoints.load import open_checkpoint
from vanbench.data.decode import decode
from vanbench.data.preprocess import to_pixels
from vanbench.devices import numerics
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.validate import validate_candidates
from vanbench.inference.optimized import optimize
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_normal, random_weights
from vanbench.typed_json import Json, to_json
from vanbench.zoo.entries import EvaluationProtocol

FIVE = ("van_b0", "van_b1", "van_b2", "van_b3", "van_b4")
CPU = torch.device("cpu")


def forward(name: str, seconds: float, batch: int = 16) -> Json:
    """The forward pass of the reference and of the optimised model, in turns."""
    reference = random_weights(ARCHITECTURES[name])
    models = {"reference": reference, "optimized": optimize(reference)}
    with numerics(CPU, "fp32"), torch.inference_mode():
        samples = interleaved(models, _images(batch), seconds)
    return {**to_json(summarize(batch, samples)), "samples_s_cpu_s": samples}


def decoding(count: int = 64) -> Json:
    """Decoding, resizing and cropping of one 500×375 JPEG after another, on one core."""
    encoded, protocol = [photograph(seed) for seed in range(count)], EvaluationProtocol()
    samples = []
    for data in encoded:
        start = perf_counter()
        to_pixels(decode(data), protocol)
        samples.append(perf_counter() - start)
    size = sum(map(len, encoded)) / count
    return {"ms_per_image": 1e3 * median(samples), "bytes_per_image": size, "samples_s": samples}


def command(*arguments: str, python: str = sys.executable) -> float:
    """Seconds that a Python module takes in its own process, with the start of the interpreter."""
    start = perf_counter()
    subprocess.run([python, "-m", *arguments], check=True, capture_output=True)
    return perf_counter() - start


def start_up(repeats: int = 5) -> Json:
    """``vanbench --help``."""
    samples = [command("vanbench", "--help") for _ in range(repeats)]
    return {"help_s": median(samples), "samples_s": samples}


def flops() -> Json:
    """``vanbench flops --all``."""
    return {"flops_all_s": command("vanbench", "flops", "--all")}


def end_to_end(name: str, folder: Path, images: Path, repeats: int, timm: str | None) -> Json:
    """``vanbench validate`` over ``images``, and a plain loop over them, in turns.

    And timm's, if ``timm`` is the interpreter of an environment that has it.
    """
    file = str(checkpoint(folder, name))
    ours = ["vanbench", "validate", "--checkpoint", file, "--data", str(images), "--fresh"]
    ours += ["--results", str(folder / "results"), "--cache", str(folder / "cache"), "-q"]
    samples: dict[str, list[float]] = {"vanbench": [], "loop": []}
    for _ in range(repeats):
        samples["vanbench"].append(command(*ours))
        samples["loop"].append(command("benchmarks.loop", file, str(images)))
        if timm:
            seconds = command("benchmarks.timm_loop", file, str(images), python=timm)
            samples.setdefault("timm", []).append(seconds)
    seconds_of = {of: median(taken) for of, taken in samples.items()}
    vanbench, loop = seconds_of["vanbench"], seconds_of["loop"]
    return {
        "vanbench_s": vanbench,
        "loop_s": loop,
        "ratio": vanbench / loop,
        "timm_s": seconds_of.get("timm"),
        "ratio_over_timm": vanbench / seconds_of["timm"] if timm else None,
        "samples_s": samples,
    }


def one_pass(folder: Path, images: Path, count: int) -> Json:
    """Five models over ``images`` in one pass, and their forward passes alone."""
    files = {name: checkpoint(folder, name) for name in FIVE}
    before = in_new_process(_forward_seconds, files, count)
    passed = in_new_process(_pass, files, images)
    after = in_new_process(_forward_seconds, files, count)
    alone = (before + after) / 2
    forward_s = {"before": before, "after": after}
    return {"images": count, **passed, "forward_s": forward_s, "ratio": passed["pass_s"] / alone}


def _pass(files: dict[str, Path], images: Path) -> Json:
    candidates = [
        Candidate(name, EvaluationProtocol(), partial(open_checkpoint, path))
        for name, path in files.items()
    ]
    passes, errors = validate_candidates(candidates, images, RunOptions(device="cpu"))
    assert not errors, errors
    validated = next(iter(passes.values()))
    return {
        "pass_s": validated.seconds,
        "waited_s": validated.waited,
        "peak_memory": high_water(),
        "peak_memory_of_a_worker": max_resident(children=True),
    }


def _forward_seconds(files: dict[str, Path], count: int, batch: int = 16) -> float:
    """Seconds that the five models compute for ``count`` images, from the time of one batch."""
    total = 0.0
    x = _images(batch)
    with numerics(CPU, "fp32"), torch.inference_mode():
        for name in files:
            model = optimize(random_weights(ARCHITECTURES[name]))
            duration(model, x)
            total += median(duration(model, x) for _ in range(2)) * count / batch
    return total


def _images(batch: int) -> Tensor:
    """Random images (batch, 3, 224, 224)."""
    return random_normal(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))
