"""Measure the project's own speed and print ratios beside the goals.

The figures go to results/bench/project.json, each part with its own date and load. Ratios are of
runs taken in turns, for the times themselves depend on what else the machine does.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import data, measures
from tests.benchmarks.material import photographs
from vanbench.environment import environment, today
from vanbench.records import write_atomically
from vanbench.throughput import Load

GIB = 2**30


def main() -> None:
    """Measure each part, record it at once, print."""
    options = _options()
    path = options.results / "bench" / "project.json"
    document = json.loads(path.read_text()) if path.exists() else {"schema": 1}
    with tempfile.TemporaryDirectory() as temporary:
        for part in options.part or PARTS:
            load = Load()
            figures = PARTS[part](Path(temporary), options)
            about = {"date": today(), "environment": environment(measures.CPU)}
            document[part] = figures | about | {"load": load.as_dict()}
            write_atomically(path, json.dumps(document, indent=1) + "\n")
            for name, value, goal in _lines(part, document[part]):
                print(f"{name:62} {value:>8}   {goal}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=640, help="of the end-to-end validation")
    parser.add_argument("--pass-images", type=int, default=192, help="of the pass of five models")
    parser.add_argument("--repeats", type=int, default=2, help="of the end-to-end validation")
    parser.add_argument("--seconds", type=float, default=20, help="for each model's forward pass")
    options = parser.parse_args()
    if unknown := set(options.part) - PARTS.keys():
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


def _end_to_end(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    images = photographs(folder / "many", options.images)
    measured = measures.end_to_end(folder / "files", images, options.repeats)
    return {"images": options.images} | measured


def _one_pass(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    images = photographs(folder / "some", options.pass_images)
    return measures.one_pass(folder / "files", images, options.pass_images)


PARTS: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "start_up": lambda folder, options: measures.start_up(),
    "flops": lambda folder, options: measures.flops(),
    "decoding": lambda folder, options: measures.decoding(),
    "preflight": lambda folder, options: data.preflight(folder / "small", 50),
    "reading": lambda folder, options: data.reading(folder / "layouts", 200),
    "storing": lambda folder, options: data.storing(folder / "store", 50_000),
    "van_b0": lambda folder, options: measures.forward("van_b0", options.seconds),
    "van_b2": lambda folder, options: measures.forward("van_b2", options.seconds),
    "end_to_end": _end_to_end,
    "one_pass": _one_pass,
}


def _preflight_lines(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    what = f"preflight of {figures['images']:,} small files, s"
    return [(what, f"{figures['seconds']:.1f}", "")]


def _reading_lines(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    folders = figures["read_and_decode_s"]["folders"]
    return [
        (f"reading and decoding from {name}, over folders", f"{seconds / folders:.2f}", "≤ 1.1")
        for name, seconds in figures["read_and_decode_s"].items()
        if name != "folders"
    ]


def _storing_lines(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    what = f"predictions of {figures['models']} models over {figures['images']:,} images"
    return [
        (f"{what}, MB", f"{figures['bytes'] / 1e6:.1f}", "< 60"),
        (f"{what}, ms an image", f"{1e3 * figures['seconds'] / figures['images']:.3f}", ""),
    ]


DATA_LINES = {
    "preflight": _preflight_lines,
    "reading": _reading_lines,
    "storing": _storing_lines,
}


def _lines(part: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured, its value, and the goal."""
    if part == "start_up":
        return [("vanbench --help, s", f"{figures['help_s']:.2f}", "≤ 0.3")]
    if part == "flops":
        return [("vanbench flops --all, s", f"{figures['flops_all_s']:.1f}", "")]
    if part == "decoding":
        return [("decoding one 500×375 JPEG, ms", f"{figures['ms_per_image']:.1f}", "")]
    if part in DATA_LINES:
        return DATA_LINES[part](figures)
    if part == "end_to_end":
        what = f"validate van_b0, {figures['images']} JPEGs, over a plain loop"
        return [(what, f"{figures['ratio']:.2f}", "≤ 0.45")]
    if part == "one_pass":
        memory = f"{figures['peak_memory'] / GIB:.2f}"
        return [
            (
                "five models in one pass, over their forward times",
                f"{figures['ratio']:.2f}",
                "≤ 1.1",
            ),
            ("peak memory of that pass, GiB", memory, "≤ 2.5"),
        ]
    goal = {"van_b0": "≥ 5", "van_b2": "≥ 3.5"}[part]
    what = f"{part}, optimised over reference, batch {figures['batch_size']}"
    return [(what, f"{figures['speedup']:.2f}", goal)]


if __name__ == "__main__":
    main()
