"""Measure the project's own speed and print ratios beside the goals.

The figures go to results/bench/project.json. Ratios are of runs taken in turns, for the times
themselves depend on what else the machine does.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import measures
from tests.benchmarks.material import photographs
from vanbench.environment import environment, today
from vanbench.records import write_atomically
from vanbench.throughput import Load

GIB = 2**30


def main() -> None:
    """Measure, print, record."""
    options = _options()
    load = Load()
    with tempfile.TemporaryDirectory() as temporary:
        figures = _measure(Path(temporary), options)
    for name, value, goal in _lines(figures):
        print(f"{name:62} {value:>8}   {goal}")
    about = {"date": today(), "environment": environment(measures.CPU), "load": load.as_dict()}
    text = json.dumps({"schema": 1, **about, **figures}, indent=1)
    write_atomically(options.results / "bench" / "project.json", text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=640, help="of the end-to-end validation")
    parser.add_argument("--pass-images", type=int, default=192, help="of the pass of five models")
    parser.add_argument("--repeats", type=int, default=2, help="of the end-to-end validation")
    parser.add_argument("--seconds", type=float, default=20, help="for each model's forward pass")
    return parser.parse_args()


def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    many = photographs(folder / "many", options.images)
    some = photographs(folder / "some", options.pass_images)
    return {
        "start_up": measures.start_up(),
        "decoding": measures.decoding(),
        "van_b0": measures.forward("van_b0", options.seconds),
        "van_b2": measures.forward("van_b2", options.seconds),
        "end_to_end": {"images": options.images}
        | measures.end_to_end(folder / "files", many, options.repeats),
        "one_pass": measures.one_pass(folder / "files", some, options.pass_images),
    }


def _lines(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured, its value, and the goal."""
    start, once, end = figures["start_up"], figures["one_pass"], figures["end_to_end"]
    lines = [
        (f"{name}, optimised over reference, batch 16", f"{figures[name]['speedup']:.2f}", goal)
        for name, goal in (("van_b0", "≥ 5"), ("van_b2", "≥ 3.5"))
    ]
    return [
        *lines,
        ("decoding one 500×375 JPEG, ms", f"{figures['decoding']['ms_per_image']:.1f}", ""),
        (
            f"validate van_b0, {end['images']} JPEGs, over a plain loop",
            f"{end['ratio']:.2f}",
            "≤ 0.45",
        ),
        ("five models in one pass, over their forward times", f"{once['ratio']:.2f}", "≤ 1.1"),
        ("peak memory of that pass, GiB", f"{once['peak_memory'] / GIB:.2f}", "≤ 2.5"),
        ("vanbench --help, s", f"{start['help_s']:.2f}", "≤ 0.3"),
        ("vanbench flops --all, s", f"{start['flops_all_s']:.1f}", ""),
    ]


if __name__ == "__main__":
    main()
