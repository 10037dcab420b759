"""Measure on a CUDA GPU and print figures beside the goals: ``python -m benchmarks.gpu``.

The records of ``vanbench bench`` in each precision go to results/bench/, and so does what is
measured here, in project-cuda.json: the rewrite beside the compiler's best, and a pass of many
images and models beside its parts. Weights are random and images are drawn.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from benchmarks.material import checkpoint, official_class, photograph
from tests.support.drawing import Picture, class_folders, official_name
from vanbench.benchmark.bench import OPTIMIZED, REFERENCE, duration, interleaved, summarize
from vanbench.checkpoints.load import open_checkpoint
from vanbench.cli.phrases import counted
from vanbench.data.open import open_images
from vanbench.devices import TORCH_PRECISIONS, choose_device, default_workers, numerics
from vanbench.environment import environment, today
from vanbench.evaluation.crops import CropsOf, in_pieces, load
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.validate import validate_candidates
from vanbench.files import write_atomically
from vanbench.inference.autotune import resolve_config
from vanbench.inference.optimized import optimize
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_normal, random_weights
from vanbench.typed_json import Json, to_json
from vanbench.zoo.entries import EvaluationProtocol

FIVE = ("van_b0", "van_b1", "van_b2", "van_b3", "van_b4")
DIFFERENT = 256  # drawn images; the others are copies of them
COMPILED_GOAL, PASS_GOAL = "≥ 1.2", "≤ 1.15"

Line = tuple[str, str, str]
"""What was measured, the figure, the goal."""


def main() -> None:
    """Run ``vanbench bench``, measure what it does not, record at once, print."""
    options = _options()
    device = choose_device(options.device)
    for precision in options.precision:
        words = ["bench", *(options.model or ["--all"]), "--precision", precision]
        words += ["--device", options.device, "--seconds", str(options.seconds)]
        words += ["--results", str(options.results)]
        subprocess.run([sys.executable, "-m", "vanbench", *words], check=True)
    document: Json = {"schema": 1, "date": today(), "environment": to_json(environment(device))}
    for precision in options.precision:
        for name in options.model or ARCHITECTURES:
            measured = beside_compiler(name, device, precision, options.batch, options.seconds)
            _add(options.results, document, f"compiler.{name}.{precision}", measured)
    with tempfile.TemporaryDirectory() as folder:
        measured = whole_pass(Path(folder), FIVE, options.images, device)
        _add(options.results, document, "pass", measured)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("model", nargs="*", help="such as van_b0; all by default")
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--precision", nargs="+", choices=TORCH_PRECISIONS, default=TORCH_PRECISIONS
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=10_000, help="of the pass of five models")
    parser.add_argument("--batch", type=int, default=256, help="beside the compiler")
    parser.add_argument("--seconds", type=float, default=20, help="for each model's forward pass")
    return parser.parse_args()


def _add(results: Path, document: Json, part: str, measured: Json) -> None:
    """Record and print one part."""
    document[part] = measured
    path = results / "bench" / "project-cuda.json"
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    for name, value, goal in lines(part, measured):
        print(f"{name:62} {value:>8}   {goal}", flush=True)


def lines(part: str, measured: Json) -> list[Line]:
    """What is printed of a part."""
    if part != "pass":
        _, name, precision = part.split(".")
        speedup = f"{measured['speedup']:.2f}"
        return [(f"{name}, {precision}, over channels-last compiled", speedup, COMPILED_GOAL)]
    what = f"{counted(measured['models'], 'model')} over {measured['images']:,} JPEGs"
    return [
        (f"{what}, s", f"{measured['pass_s']:.0f}", ""),
        ("decoding them alone, s", f"{measured['decode_s']:.0f}", ""),
        ("the forward passes alone, s", f"{measured['forward_s']:.0f}", ""),
        ("the pass over the larger of both", f"{measured['ratio']:.2f}", PASS_GOAL),
    ]


def beside_compiler(
    name: str, device: torch.device, precision: str, batch: int, seconds: float
) -> Json:
    """The rewrite over the plain model, channels-last and compiled, in turns."""
    model = random_weights(ARCHITECTURES[name]).to(device)
    compiled = copy.deepcopy(model).to(memory_format=torch.channels_last)
    compiled.compile()
    config = resolve_config(None, device, precision, compile=False, on_message=print)
    models = {REFERENCE: compiled, OPTIMIZED: optimize(model, config=config)}
    x = _images(batch).to(device).contiguous(memory_format=torch.channels_last)
    with numerics(device, precision), torch.inference_mode():
        samples = interleaved(models, x, seconds)
    return {**to_json(summarize(batch, samples)), "choices": to_json(config), "samples": samples}


def whole_pass(folder: Path, names: Sequence[str], count: int, device: torch.device) -> Json:
    """Some models over ``count`` JPEGs in one pass; decoding and the forward passes alone."""
    images = class_folders(folder / "images", _pictures(count))
    protocol = EvaluationProtocol()
    files = {name: checkpoint(folder / "files", name) for name in names}
    candidates = [
        Candidate(name, protocol, partial(open_checkpoint, path)) for name, path in files.items()
    ]
    decode_s = _decoding_seconds(images, protocol, device)
    passes, errors = validate_candidates(candidates, images, RunOptions(device=str(device)))
    assert not errors, errors
    pass_s = next(iter(passes.values())).seconds
    forward_s = sum(_forward_seconds(name, count, device) for name in names)
    return {
        "models": len(names),
        "images": count,
        "pass_s": pass_s,
        "decode_s": decode_s,
        "forward_s": forward_s,
        "ratio": pass_s / max(decode_s, forward_s),
    }


def _pictures(count: int) -> list[Picture]:
    drawn = [photograph(seed) for seed in range(min(count, DIFFERENT))]
    names = [official_name(number) for number in range(1, count + 1)]
    return [Picture(n, official_class(n), drawn[i % len(drawn)]) for i, n in enumerate(names)]


def _decoding_seconds(path: Path, protocol: EvaluationProtocol, device: torch.device) -> float:
    """As many processes as in the pass read and decode all images, and nothing else is done."""
    images = open_images(path, protocol.class_ids)
    start = perf_counter()
    pieces = in_pieces(range(len(images)))
    for _ in load(CropsOf(images, protocol), pieces, default_workers(device)):
        pass
    return perf_counter() - start


def _forward_seconds(name: str, count: int, device: torch.device) -> float:
    """Seconds that a model computes for ``count`` images, from the time of a few batches."""
    model = random_weights(ARCHITECTURES[name]).to(device)
    config = resolve_config(None, device, "fp32", compile=False, on_message=print)
    fast = optimize(model, config=config)
    batch = 256 if device.type == "cuda" else 4
    x = _images(batch).to(device).contiguous(memory_format=torch.channels_last)
    with numerics(device, "fp32"), torch.inference_mode():
        duration(fast, x)
        return median(duration(fast, x) for _ in range(5)) * count / batch


def _images(batch: int) -> torch.Tensor:
    """Random images (batch, 3, 224, 224)."""
    return random_normal(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))


if __name__ == "__main__":
    main()
