"""The tables of docs/performance.md, from the records under results/bench/.

``python -m benchmarks.figures`` writes them there.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from tabulate import tabulate

from vanbench.model.architecture import ARCHITECTURES
from vanbench.report import bench_records, markers, runtime_records
from vanbench.report.bench_records import BenchRecord
from vanbench.report.runtime_records import RuntimeFigures, RuntimeRow, RuntimesRecord
from vanbench.typed_json import Json

GIB, MIB = 2**30, 2**20
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
SPEEDUP_GOALS = {"van_b0": 5.0, "van_b6": 3.0} | {f"van_b{i}": 3.5 for i in range(1, 5)}
CEILING_GOALS = {f"van_b{i}": 0.6 for i in range(1, 5)}


def tables(folder: Path) -> str:
    """Markdown: the models as ``vanbench bench`` measured them, and what ``make bench`` did."""
    found = [bench_records.read(path) for path in sorted(folder.glob("van_*.json"))]
    records = [record for record in found if _arch(record) in ARCHITECTURES]
    usual = [record for record in records if not record.variant]
    others = [record for record in records if record.variant]
    project = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    parts = [line for part in project if part != "schema" for line in lines(part, project[part])]
    return "\n\n".join(
        [
            _about(usual),
            _markdown([_model(record) for record in usual]),
            "Another precision, or compiled. The reference has the same precision, and is never "
            "compiled:",
            _markdown([_other(record) for record in others]),
            *runtime_tables(folder / runtime_records.FOLDER),
            "The project's own benchmarks (`results/bench/project.json`):",
            _markdown(
                [dict(zip(("measured", "figure", "goal"), line, strict=True)) for line in parts]
            ),
        ]
    )


def runtime_tables(folder: Path) -> Iterator[str]:
    """For each model with a record of all runtimes: what it is of, and a table."""
    found = [runtime_records.read(path) for path in sorted(folder.glob("*.json"))]
    for record in found:
        if not record.variant:
            yield _about_runtimes(record)
            yield _markdown([_runtime(row, figures) for row, figures in record.measured])


def _about_runtimes(record: RuntimesRecord) -> str:
    about = record.environment
    versions = {
        name: version
        for row in record.rows
        for name, version in row.versions.items()
        if name != "torch"
    }
    missing = [f"{row.label} {row.status}" for row in record.rows if row.figures is None]
    return (
        f"{record.name} in each runtime (`vanbench bench --runtime all`), {about.cpu}, "
        f"{about.threads} threads, torch {about.torch}, "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}, {record.date}; "
        f"other processes used {record.load.other_cores or 0.0:.2f} cores"
        f"{''.join(f'; {text}' for text in missing)}. Images per second at batch "
        f"{record.batch_size}; speed-up and error are beside the reference in fp32:"
    )


def _runtime(row: RuntimeRow, figures: RuntimeFigures) -> dict[str, str]:
    start, latency = figures.start_up, figures.latency_ms
    memory = "–" if figures.peak_memory is None else f"{figures.peak_memory / MIB:.0f}"
    parts = (start.process_s, start.load_s, start.prepare_s, start.first_batch_s)
    return {
        "runtime": row.runtime,
        "precision": row.precision or "",
        "images/s": f"{figures.images_per_s:.2f}",
        "speed-up": f"{figures.speedup:.2f}",
        "batch 1, p50 / p95 / p99 ms": " / ".join(
            f"{ms:.1f}" for ms in (latency.p50, latency.p95, latency.p99)
        ),
        "peak MiB": memory,
        "start-up s": f"{start.total_s:.1f}",
        "process + load + prepare + first batch": " + ".join(f"{part:.1f}" for part in parts),
        "error": f"{figures.max_relative_error:.0e}",
        "Top-5": "same" if figures.same_top5 else "differs",
    }


def _about(records: list[BenchRecord]) -> str:
    surroundings = {
        (record.batch_size, about.cpu, about.cores, about.threads, about.torch)
        for record in records
        for about in [record.environment]
    }
    if len(surroundings) != 1:
        raise SystemExit(
            "results/bench: records of one table differ in batch size, cpu, cores, threads or torch"
        )
    about, dates = records[0].environment, sorted({record.date for record in records})
    busy = max(record.load.other_cores or 0.0 for record in records)
    return (
        f"{about.cpu}, {about.cores} cores, torch {about.torch}, fp32, "
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}; other processes used at most "
        f"{busy:.2f} cores. Images per second at batch {records[0].batch_size}; "
        "in brackets the interquartile range of the ratios of neighbouring passes."
    )


def _model(record: BenchRecord) -> dict[str, str]:
    line, ceiling, arch = record.at(record.batch_size), record.ceiling, _arch(record)
    lower, upper = line.speedup_range
    models = (record.reference, record.optimized)
    memory = ["–" if m.peak_memory is None else f"{m.peak_memory / MIB:.0f}" for m in models]
    p50 = [f"{model.latency_ms.p50:.1f}" for model in models]
    return {
        "model": record.name,
        "reference": f"{line.reference:.2f}",
        "optimised": f"{line.optimized:.2f}",
        "speed-up": f"{line.speedup:.2f} ({lower:.2f}–{upper:.2f})",
        "goal": _goal(SPEEDUP_GOALS.get(arch), line.speedup),
        "speed-up at the ceiling": f"{ceiling.images_per_s / line.reference:.2f}",
        "of the ceiling": f"{ceiling.fraction:.2f}",
        "its goal": _goal(CEILING_GOALS.get(arch), ceiling.fraction),
        "batch 1, p50 ms": " → ".join(p50),
        "peak MiB": " → ".join(memory),
    }


def _other(record: BenchRecord) -> dict[str, str]:
    line = record.at(record.batch_size)
    compiled = ["compiled"] if record.compile else []
    return {
        "model": record.name,
        "variant": ", ".join([record.device, record.precision, *compiled]),
        "reference": f"{line.reference:.2f}",
        "optimised": f"{line.optimized:.2f}",
        "speed-up": f"{line.speedup:.2f}",
        "speed-up at batch 1": f"{record.at(1).speedup:.2f}",
        "of the ceiling": f"{record.ceiling.fraction:.2f}",
        "error": f"{record.max_relative_error:.0e}",
        "same Top-5": "yes" if record.same_top5 else "no",
    }


def _arch(record: BenchRecord) -> str:
    return record.name.split(".")[0]


def _goal(goal: float | None, value: float) -> str:
    if goal is None:
        return "–"
    return f"≥ {goal:g}: {'reached' if value >= goal else 'missed'}"


def _markdown(rows: list[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def _preflight_lines(figures: Json) -> list[tuple[str, str, str]]:
    what = f"inspecting {figures['images']:,} small files, s"
    return [(what, f"{figures['seconds']:.1f}", "")]


def _reading_lines(figures: Json) -> list[tuple[str, str, str]]:
    folders = figures["read_and_decode_s"]["folders"]
    return [
        (f"reading and decoding from {name}, over folders", f"{seconds / folders:.2f}", "≤ 1.1")
        for name, seconds in figures["read_and_decode_s"].items()
        if name != "folders"
    ]


def _caching_lines(figures: Json) -> list[tuple[str, str, str]]:
    decoded = figures["decoded_s"]
    return [
        ("reading crops from the cache, over decoding", f"{figures['read_s'] / decoded:.2f}", ""),
        ("decoding and storing crops, over decoding", f"{figures['stored_s'] / decoded:.2f}", ""),
    ]


def _storing_lines(figures: Json) -> list[tuple[str, str, str]]:
    what = f"predictions of {figures['models']} models over {figures['images']:,} images"
    return [
        (f"{what}, MB", f"{figures['bytes'] / 1e6:.1f}", "< 60"),
        (f"{what}, ms per image", f"{1e3 * figures['seconds'] / figures['images']:.3f}", ""),
    ]


def _scaling_lines(figures: Json) -> list[tuple[str, str, str]]:
    core_s = {
        count: median(run["core_s"] for run in runs) for count, runs in figures["runs"].items()
    }
    return [("verify in 2 processes, core-seconds over 1", f"{core_s['2'] / core_s['1']:.2f}", "")]


def _runtime_lines(name: str, figures: Json) -> list[tuple[str, str, str]]:
    over, default = figures["over_peer"], figures["runtimes"]["default"]
    peer = "OpenVINO on the plain model"
    return [
        (f"{name}, default with extras ({default}), over {peer}", f"{over['default']:.2f}", "≥ 1"),
        (f"{name}, default without extras, over {peer}", f"{over['optimized']:.2f}", "≥ 0.95"),
        (f"{name}, optimized in bf16, over fp32", f"{figures['bf16_over_fp32']:.2f}", "≥ 1.6"),
    ]


def _first_batch_lines(figures: Json) -> list[tuple[str, str, str]]:
    what = "validate van_b0, to the first stored predictions"
    return [
        (f"{what}, s", f"{figures['later_run_s']:.1f}", "≤ 2.5"),
        (f"{what}, without kept trials, s", f"{figures['first_run_s']:.1f}", ""),
    ]


def _end_to_end_lines(
    name: str, goals: tuple[str, str], figures: Json
) -> list[tuple[str, str, str]]:
    what = f"validate {name}, {figures['images']} JPEGs, over"
    found = [(f"{what} a plain loop", f"{figures['ratio']:.2f}", goals[0])]
    if (over_timm := figures.get("ratio_over_timm")) is not None:
        found.append((f"{what} timm's loop", f"{over_timm:.2f}", goals[1]))
    return found


DATA_LINES: dict[str, Callable[[Json], list[tuple[str, str, str]]]] = {
    "preflight": _preflight_lines,
    "reading": _reading_lines,
    "caching": _caching_lines,
    "storing": _storing_lines,
    "scaling": _scaling_lines,
    "first_batch": _first_batch_lines,
    "end_to_end": partial(_end_to_end_lines, "van_b0", ("≤ 0.45", "≤ 0.35")),
    "end_to_end_b2": partial(_end_to_end_lines, "van_b2", ("", "≤ 0.45")),
    "runtimes_b0": partial(_runtime_lines, "van_b0"),
    "runtimes_b2": partial(_runtime_lines, "van_b2"),
}


def lines(part: str, figures: Json) -> list[tuple[str, str, str]]:
    """What was measured, its value, and the goal."""
    if part == "start_up":
        return [("vanbench --help, s", f"{figures['help_s']:.2f}", "≤ 0.3")]
    if part == "flops":
        return [("vanbench flops --all, s", f"{figures['flops_all_s']:.1f}", "≤ 15")]
    if part == "decoding":
        return [("decoding one 500×375 JPEG, ms", f"{figures['ms_per_image']:.1f}", "")]
    if part in DATA_LINES:
        return DATA_LINES[part](figures)
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
