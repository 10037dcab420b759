"""The figures of docs/performance.md, from the records under results/bench/.

``python -m benchmarks.figures`` writes them there.
"""

import json
from pathlib import Path
from typing import Any

from tabulate import tabulate

from vanbench.model.architecture import ARCHITECTURES
from vanbench.report import markers

GIB, MIB = 2**30, 2**20
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
SPEEDUP_GOALS = {"van_b0": 5.0, "van_b6": 3.0} | {f"van_b{i}": 3.5 for i in range(1, 5)}
CEILING_GOALS = {f"van_b{i}": 0.6 for i in range(1, 5)}


def tables(folder: Path) -> str:
    """Markdown: the models as ``vanbench bench`` measured them, and what ``make bench`` did."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("van_*.json"))]
    records = [record for record in found if _family(record) in ARCHITECTURES]
    usual = [record for record in records if _form(record) == "cpu, fp32"]
    others = [record for record in records if record not in usual]
    project = json.loads((folder / "project.json").read_text())
    parts = [line for part in project if part != "schema" for line in lines(part, project[part])]
    return "\n\n".join(
        [
            _about(usual),
            _markdown([_model(record) for record in usual]),
            "In another form; the reference is in the same precision, and never compiled:",
            _markdown([_other(record) for record in others]),
            "The project's own benchmarks (`results/bench/project.json`):",
            _markdown(
                [dict(zip(("measured", "figure", "goal"), line, strict=True)) for line in parts]
            ),
        ]
    )


def _about(records: list[dict[str, Any]]) -> str:
    keys = ("cpu", "cores", "threads", "torch")
    surroundings = {
        (record["batch_size"], *(record["environment"][key] for key in keys)) for record in records
    }
    if len(surroundings) != 1:
        raise SystemExit(f"results/bench: records of one table differ in batch, {', '.join(keys)}")
    about, dates = records[0]["environment"], sorted({record["date"] for record in records})
    busy = max(record["load"]["other_cores"] or 0.0 for record in records)
    return (
        f"{about['cpu']}, {about['cores']} cores, torch {about['torch']}, fp32, "
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}; others kept at most "
        f"{busy:.2f} cores busy. Images per second at batch {records[0]['batch_size']}; "
        "in brackets the middle half of the ratios of neighbouring passes."
    )


def _model(record: dict[str, Any]) -> dict[str, str]:
    line = _line(record, record["batch_size"])
    lower, upper = line["speedup_range"]
    family, ceiling = _family(record), record["ceiling"]
    peaks = [record[kind]["peak_memory"] for kind in ("reference", "optimized")]
    memory = ["–" if peak is None else f"{peak / MIB:.0f}" for peak in peaks]
    p50 = [record[kind]["latency_ms"]["p50"] for kind in ("reference", "optimized")]
    return {
        "model": record["name"],
        "reference": f"{line['reference']:.2f}",
        "optimised": f"{line['optimized']:.2f}",
        "speed-up": f"{line['speedup']:.2f} ({lower:.2f}–{upper:.2f})",
        "goal": _goal(SPEEDUP_GOALS.get(family), line["speedup"]),
        "speed-up at the ceiling": f"{ceiling['images_per_s'] / line['reference']:.2f}",
        "of the ceiling": f"{ceiling['fraction']:.2f}",
        "its goal": _goal(CEILING_GOALS.get(family), ceiling["fraction"]),
        "batch 1, p50 ms": f"{p50[0]:.1f} → {p50[1]:.1f}",
        "peak MiB": " → ".join(memory),
    }


def _other(record: dict[str, Any]) -> dict[str, str]:
    line = _line(record, record["batch_size"])
    return {
        "model": record["name"],
        "form": _form(record),
        "reference": f"{line['reference']:.2f}",
        "optimised": f"{line['optimized']:.2f}",
        "speed-up": f"{line['speedup']:.2f}",
        "speed-up at batch 1": f"{_line(record, 1)['speedup']:.2f}",
        "of the ceiling": f"{record['ceiling']['fraction']:.2f}",
        "error": f"{record['max_relative_error']:.0e}",
        "same Top-5": "yes" if record["same_top5"] else "no",
    }


def _family(record: dict[str, Any]) -> str:
    return record["name"].split(".")[0]


def _form(record: dict[str, Any]) -> str:
    compiled = ["compiled"] if record["compile"] else []
    return ", ".join([record["device"], record["precision"], *compiled])


def _line(record: dict[str, Any], batch: int) -> dict[str, Any]:
    return next(line for line in record["batch_sizes"] if line["batch_size"] == batch)


def _goal(goal: float | None, value: float) -> str:
    if goal is None:
        return "–"
    return f"≥ {goal:g}: {'reached' if value >= goal else 'missed'}"


def _markdown(rows: list[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


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


def lines(part: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured, its value, and the goal."""
    if part == "start_up":
        return [("vanbench --help, s", f"{figures['help_s']:.2f}", "≤ 0.3")]
    if part == "flops":
        return [("vanbench flops --all, s", f"{figures['flops_all_s']:.1f}", "≤ 15")]
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
    markers.write(DOCUMENT, tables(Path("results/bench")))
