"""VANs beside the models that their paper compares them with: accuracy, size, work and speed.

The FLOPs of all are the multiply–adds of convolutions and matrix products, which is torchvision's
convention: those of the baselines as torchvision prints them, those of the VANs in closed form. The
speeds are from benchmark records, fp32 on a CPU; a record of another machine is left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path

from vanbench.environment import Environment
from vanbench.model.architecture import Architecture
from vanbench.model.expected_counts import expected_params, expected_units
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.outside.safe_text import for_terminal
from vanbench.report import baseline_records, bench_records
from vanbench.report.baseline_records import FOLDER, BaselineRecord
from vanbench.report.bench_records import BenchRecord
from vanbench.report.charts import Point, ScatterChart, Series
from vanbench.report.formats.csv_table import csv_text, safe_cell
from vanbench.report.rows import ModelRow, rows_on_record
from vanbench.zoo.entries import Entry, Zoo
from vanbench.zoo.reported import Reported

PAPER = (
    "resnet18", "resnet50", "resnet101", "resnet152", "convnext_tiny", "convnext_small",
    "convnext_base", "swin_t", "swin_s", "swin_b",
)  # fmt: skip
"""The models of the VAN paper's tables 4 and 7 that torchvision has."""

ABOUT_EQUAL = 1.25  # how many times more FLOPs a model has that is called about as large
VAN, BASELINE = "VAN", "baseline"


@dataclass(frozen=True)
class Speed:
    """Images per second at ``batch_size`` and the median latency of one image, as PyTorch runs it.

    ``rewritten`` is that of the exact rewrite, None where it does not apply.
    """

    batch_size: int
    images_per_s: float
    latency_ms: float
    rewritten: float | None
    machine: str
    date: str


@dataclass(frozen=True)
class ComparedModel:
    """One model; ``flops`` in G at ``resolution``, None where nothing is claimed or on record."""

    name: str
    kind: str
    resolution: int
    params: int | None
    flops: Fraction | None
    claimed: Reported | None
    measured: Fraction | None
    speed: Speed | None


def compare_models(vans: Zoo, baselines: Zoo, results: Path) -> list[ComparedModel]:
    """The VANs with a claimed Top-1, then the paper's baselines; RecordError for a bad record."""
    rows = [*_rows_of(vans, results), *_rows_of(baselines, results)]
    speeds = [_speed(row.entry, baselines, results) for row in rows]
    machines = Counter(speed.machine for speed in speeds if speed)
    usual = machines.most_common(1)[0][0] if machines else ""
    return [
        _compared(row, speed if speed and speed.machine == usual else None)
        for row, speed in zip(rows, speeds, strict=True)
    ]


def _rows_of(zoo: Zoo, results: Path) -> Iterator[ModelRow]:
    for row in rows_on_record(zoo, results):
        architecture = row.entry.architecture
        van = isinstance(architecture, Architecture)
        if row.entry.claims.top1 and (van or architecture.name in PAPER):
            yield row


def _compared(row: ModelRow, speed: Speed | None) -> ComparedModel:
    entry = row.entry
    params, flops = _size(entry)
    return ComparedModel(
        name=entry.name,
        kind=VAN if isinstance(entry.architecture, Architecture) else BASELINE,
        resolution=entry.protocol.center_crop,
        params=params,
        flops=flops,
        claimed=entry.claims.top1,
        measured=row.top1.measured,
        speed=speed,
    )


def _size(entry: Entry) -> tuple[int | None, Fraction | None]:
    """Parameters, and FLOPs in G."""
    architecture = entry.architecture
    if isinstance(architecture, Architecture):
        units = expected_units(architecture, entry.protocol.center_crop)
        return expected_params(architecture)[0], Fraction(units["conv"] + units["linear"], 10**9)
    params, flops = entry.claims.params_m, entry.claims.flops_g
    return round(params.value * 10**6) if params else None, flops.value if flops else None


def _speed(entry: Entry, baselines: Zoo, results: Path) -> Speed | None:
    folder = results / "bench"
    if isinstance(entry.architecture, TorchvisionArchitecture):
        return _baseline_speed(entry, baselines, folder / FOLDER)
    path = folder / f"{entry.name}.json"
    record = bench_records.read(path) if path.exists() else None
    if record is None or record.architecture != entry.architecture:
        return None
    return _speed_of(record, record.optimized.images_per_s)


def _baseline_speed(entry: Entry, zoo: Zoo, folder: Path) -> Speed | None:
    """The speed of the architecture: that of other weights of it is the same."""
    for other in zoo.entries:
        path = folder / f"{other.name}.json"
        if other.architecture == entry.architecture and path.exists():
            record = baseline_records.read(path)
            if record.resolution == entry.protocol.center_crop:
                return _speed_of(record, None)
    return None


def _speed_of(record: BenchRecord | BaselineRecord, rewritten: float | None) -> Speed:
    return Speed(
        batch_size=record.batch_size,
        images_per_s=record.reference.images_per_s,
        latency_ms=record.reference.latency_ms.p50,
        rewritten=rewritten,
        machine=_machine(record.environment),
        date=record.date,
    )


def _machine(about: Environment) -> str:
    return f"{about.cpu}, {about.threads} threads, torch {about.torch}"


def sentences(models: Sequence[ComparedModel]) -> list[str]:
    """What the speeds say that the FLOPs do not, and what is missing."""
    found = [*_widest_gap(models), *_fastest_way(models)]
    dates = [model.speed.date for model in models if model.speed]
    machine = next((model.speed.machine for model in models if model.speed), None)
    if machine:
        found.append(f"Speeds: fp32 on a CPU ({machine}), {min(dates)} to {max(dates)}.")
    missing = Counter(model.kind for model in models if model.speed is None)
    if missing:
        counts = " and ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in missing.items())
        found.append(f"The speed of {counts} is not on record on this machine.")
    return [for_terminal(text) for text in found]


def _measured_pairs(
    models: Iterable[ComparedModel],
) -> Iterator[tuple[float, ComparedModel, ComparedModel]]:
    """VANs and baselines of about equal FLOPs: how many times more images the faster computes."""
    timed = [model for model in models if model.speed and model.flops]
    for van, other in product(
        (m for m in timed if m.kind == VAN), (m for m in timed if m.kind == BASELINE)
    ):
        assert van.flops and van.speed and other.flops and other.speed  # noqa: PT018
        if max(van.flops, other.flops) <= ABOUT_EQUAL * min(van.flops, other.flops):
            pair = sorted((van, other), key=_images_per_s, reverse=True)
            yield _images_per_s(pair[0]) / _images_per_s(pair[1]), pair[0], pair[1]


def _widest_gap(models: Sequence[ComparedModel]) -> Iterator[str]:
    """The two models of about equal FLOPs whose speeds differ most."""
    pairs = list(_measured_pairs(models))
    if not pairs:
        return
    ratio, fast, slow = max(pairs, key=lambda pair: pair[0])
    rewrite = ""
    if slow.speed and slow.speed.rewritten:
        rewrite = f", its exact rewrite {slow.speed.rewritten:.1f}"
    yield (
        f"FLOPs do not tell the speed: {fast.name} ({_g(fast)} G FLOPs) computes "
        f"{_images_per_s(fast):.1f} images/s, {slow.name} ({_g(slow)} G) "
        f"{_images_per_s(slow):.1f}{rewrite}; that is {ratio:.1f} times as many for about the "
        "same FLOPs."
    )


def _fastest_way(models: Sequence[ComparedModel]) -> Iterator[str]:
    """Which measured model is faster than the middle VAN and claims no lower accuracy."""
    vans = [m for m in models if m.kind == VAN and m.speed and m.claimed]
    if not vans:
        return
    goal = vans[len(vans) // 2]
    assert goal.claimed
    able = [m for m in models if m.speed and m.claimed and m.claimed.value >= goal.claimed.value]
    best = max(able, key=_images_per_s)
    if best is goal:
        return
    yield (
        f"Of the measured models with a claimed Top-1 of at least {goal.claimed} "
        f"({goal.name}), {best.name} is the fastest as PyTorch runs it: "
        f"{_images_per_s(best):.1f} images/s, against {_images_per_s(goal):.1f}."
    )


def _images_per_s(model: ComparedModel) -> float:
    return model.speed.images_per_s if model.speed else 0.0


def _g(model: ComparedModel) -> str:
    return f"{float(model.flops or 0):.1f}"


CSV_COLUMNS = (
    "model", "kind", "resolution", "params", "flops_g", "top1_claimed", "top1_measured",
    "batch_size", "images_per_s", "images_per_s_rewrite", "latency_ms_p50", "machine", "date",
)  # fmt: skip


def as_csv(models: Iterable[ComparedModel]) -> str:
    """A header and a line for each model; what is not known is empty."""
    return csv_text(CSV_COLUMNS, map(_csv_line, models))


def _csv_line(model: ComparedModel) -> list[str]:
    speed = model.speed
    return [
        safe_cell(model.name),
        model.kind,
        str(model.resolution),
        "" if model.params is None else str(model.params),
        "" if model.flops is None else f"{float(model.flops):.3f}",
        model.claimed.text if model.claimed else "",
        "" if model.measured is None else repr(float(model.measured)),
        str(speed.batch_size) if speed else "",
        repr(speed.images_per_s) if speed else "",
        repr(speed.rewritten) if speed and speed.rewritten else "",
        repr(speed.latency_ms) if speed else "",
        safe_cell(speed.machine) if speed else "",
        speed.date if speed else "",
    ]


def charts(models: Sequence[ComparedModel]) -> list[ScatterChart]:
    """Claimed Top-1 against FLOPs, and against images per second where these were measured."""
    by_flops = [(m, float(m.flops)) for m in models if m.flops]
    by_speed = [(m, m.speed.images_per_s) for m in models if m.speed]
    found = [
        _chart("models-flops", "FLOPs", "FLOPs, G (multiply–adds)", by_flops),
        _chart("models-speed", "throughput", "Images/s on this CPU", by_speed),
    ]
    return [chart for chart in found if any(series.points for series in chart.series)]


def _labels(models: Sequence[ComparedModel]) -> dict[str, str]:
    """The architecture of each model, with the version of the weights where it is not the first."""
    labels: dict[str, str] = {}
    for model in models:
        arch, _, tag = model.name.partition(".")
        label = arch if arch not in labels.values() else f"{arch} {tag.rpartition('_')[2]}"
        labels[model.name] = for_terminal(label)
    return labels


def _chart(
    key: str, quantity: str, x_title: str, values: Sequence[tuple[ComparedModel, float]]
) -> ScatterChart:
    labels = _labels([model for model, _ in values])

    def points(kind: str) -> tuple[Point, ...]:
        return tuple(
            Point(labels[model.name], x, float(model.claimed.value))
            for model, x in values
            if model.kind == kind and model.claimed
        )

    return ScatterChart(
        key,
        f"Claimed Top-1 against {quantity}: VANs and the models of the paper",
        f"Filled circles are VANs, hollow ones baselines; {len(values)} models.",
        x_title,
        "Top-1, % (claimed)",
        (Series("baseline", False, points(BASELINE)), Series("VAN", True, points(VAN))),
    )
