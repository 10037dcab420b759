"""Measure the project's own speed and print ratios beside the goals.

The figures go to results/bench/project.json, each part with its own date and load. Ratios are of
runs that take turns, because the times themselves depend on what else the machine does.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import data, figures, measures, parts, runtimes
from benchmarks.material import photographs
from vanbench.benchmark.system_load import SystemLoad
from vanbench.environment import environment, today
from vanbench.files import write_atomically
from vanbench.typed_json import Json, to_json


def main() -> None:
    """Measure each part, record it at once, print."""
    options = _options()
    path = options.results / "bench" / "project.json"
    document: Json = {"schema": 1}
    if path.exists():
        document = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        for part in options.part or PARTS:
            load = SystemLoad()
            measured = PARTS[part](Path(temporary), options)
            about = {
                "date": today(),
                "environment": to_json(environment(measures.CPU)),
                "load": to_json(load.summary()),
            }
            document[part] = measured | about
            write_atomically(path, json.dumps(document, indent=1) + "\n")
            for name, value, goal in figures.lines(part, document[part]):
                print(f"{name:62} {value:>8}   {goal}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=640, help="of the end-to-end validation")
    parser.add_argument("--pass-images", type=int, default=192, help="of the pass of five models")
    parser.add_argument("--repeats", type=int, default=2, help="of the end-to-end validation")
    parser.add_argument("--seconds", type=float, default=20, help="for each model's forward pass")
    parser.add_argument(
        "--timm", metavar="PYTHON", help="the interpreter of an environment with timm, to compare"
    )
    options = parser.parse_args()
    if unknown := set(options.part) - PARTS.keys():
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


def _end_to_end(name: str, share: int, folder: Path, options: argparse.Namespace) -> Json:
    """Over a share of the images, because a larger model takes longer."""
    count = options.images // share
    images = photographs(folder / f"of-{name}", count)
    repeats = max(1, options.repeats // share)
    measured = measures.end_to_end(name, folder / "files", images, repeats, options.timm)
    return {"images": count} | measured


def _first_batch(folder: Path, options: argparse.Namespace) -> Json:
    images = photographs(folder / "many", options.images)
    return runtimes.first_batch(folder / "started", images, options.repeats)


def _one_pass(folder: Path, options: argparse.Namespace) -> Json:
    images = photographs(folder / "some", options.pass_images)
    return measures.one_pass(folder / "files", images, options.pass_images)


def _scaling(folder: Path, options: argparse.Namespace) -> Json:
    two, images = measures.FIVE[:2], 96
    return parts.scaling(folder / "scaling", measures.FIVE, two, images, options.repeats)


PARTS: dict[str, Callable[[Path, argparse.Namespace], Json]] = {
    "start_up": lambda folder, options: measures.start_up(),
    "flops": lambda folder, options: measures.flops(),
    "decoding": lambda folder, options: measures.decoding(),
    "preflight": lambda folder, options: data.preflight(folder / "small", 50),
    "reading": lambda folder, options: data.reading(folder / "layouts", 200),
    "caching": lambda folder, options: data.caching(folder / "cached", 256),
    "storing": lambda folder, options: data.storing(folder / "store", 50_000),
    "van_b0": lambda folder, options: measures.forward("van_b0", options.seconds),
    "van_b2": lambda folder, options: measures.forward("van_b2", options.seconds),
    "runtimes_b0": lambda folder, options: runtimes.ratios("van_b0", options.seconds),
    "runtimes_b2": lambda folder, options: runtimes.ratios("van_b2", options.seconds),
    "first_batch": _first_batch,
    "end_to_end": partial(_end_to_end, "van_b0", 1),
    "end_to_end_b2": partial(_end_to_end, "van_b2", 2),
    "one_pass": _one_pass,
    "scaling": _scaling,
}


if __name__ == "__main__":
    main()
