"""How long ``verify --all`` takes with more processes: a model made of measured parts.

``python -m benchmarks scaling`` measures the parts and, beside them, runs of 1 to 4 processes on
this machine. ``python -m benchmarks.scaling`` writes the tables of docs/scaling.md from them.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

from tabulate import tabulate

from vanbench.evaluation.crops import PIECE
from vanbench.progress import duration
from vanbench.report import bench_records, markers
from vanbench.typed_json import Json
from vanbench.zoo.class_ids import VALIDATION_IMAGES

DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"
AGREEMENTS = 3  # per model, of all processes: its file, its opening, its place on the device
ASSUMED = (100, 400, 1600)  # images per second of a GPU through all models, each image once
GPUS, PER_NODE = (1, 8, 64), 8
FEW_CORES, CORES = 2, 8  # per GPU
AHEAD = 2 * PIECE  # images that a worker claims in advance, which no other process can take then
READERS = 16  # threads that read and hash the images of a node, at most
MANY = 1000  # models of a large zoo
SPEED = "images/s of a GPU"


@dataclass(frozen=True)
class Parts:
    """Measured seconds of one core at work, in all processes and threads together.

    Once per process: ``start`` (importing, a worker) and ``opening`` (a file, by model). Once:
    ``launch`` (torchrun itself), ``trial`` and ``counting`` (by model), both in the first process.
    Once per image: ``inspecting`` (on each node), ``decoding`` or ``cached``, and ``forward`` (by
    model, on this CPU). Once per prediction in the first process: ``storing``. ``request`` is the
    rendezvous store's time for one request.
    """

    start: float
    opening: Mapping[str, float]
    launch: float
    trial: float
    counting: Mapping[str, float]
    inspecting: float
    decoding: float
    cached: float
    forward: Mapping[str, float]
    storing: float
    request: float

    def of(self, *models: str) -> "Parts":
        """The parts of a zoo with these models only."""
        opening, counting, forward = (
            {name: times[name] for name in models}
            for times in (self.opening, self.counting, self.forward)
        )
        return replace(self, opening=opening, counting=counting, forward=forward)

    def repeated(self, models: int) -> "Parts":
        """The parts of a zoo with so many models, each like the mean of these."""
        opening, counting, forward = (
            dict.fromkeys(map(str, range(models)), fmean(times.values()))
            for times in (self.opening, self.counting, self.forward)
        )
        return replace(self, opening=opening, counting=counting, forward=forward)


@dataclass(frozen=True)
class Local:
    """Seconds that a run takes on an idle CPU, and of a core that it uses."""

    seconds: float
    core_s: float


def local(parts: Parts, images: int, processes: int, cores: int) -> Local:
    """A run over images on one machine without a GPU, in processes that share its cores.

    What each process does for itself is done at the same time, as far as there are cores. The first
    one counts while the others wait. The cores share all work on images.
    """
    launch = parts.launch if processes > 1 else 0.0
    own = parts.start + sum(parts.opening.values())
    first = parts.trial + sum(parts.counting.values())
    each = parts.inspecting + parts.decoding + sum(parts.forward.values())
    shared = images * (each + parts.storing * len(parts.forward))
    return Local(
        launch + own * max(1.0, processes / cores) + first + shared / cores,
        launch + own * processes + first + shared,
    )


@dataclass(frozen=True)
class Cluster:
    """GPUs in nodes of eight. ``images_per_s`` is a GPU's speed through all models together."""

    gpus: int
    cores_per_gpu: int
    images_per_s: float

    @property
    def on_a_node(self) -> int:
        """GPUs, and so processes, of a node."""
        return min(self.gpus, PER_NODE)


@dataclass(frozen=True)
class Run:
    """The seconds of a run, and what the pass over the images waits for."""

    start_s: float
    pass_s: float
    limit: str

    @property
    def seconds(self) -> float:
        """The whole run."""
        return self.start_s + self.pass_s


def on_gpus(parts: Parts, images: int, cluster: Cluster, *, cached: bool = False) -> Run:
    """A run over images with one process per GPU.

    The pass takes as long as the slowest of four: the GPUs, the cores that decode for them, the
    GPU whose workers have claimed most images in advance, and the first process, which stores all
    predictions.
    """
    models, gpus = len(parts.forward), cluster.gpus
    decoding = parts.cached if cached else parts.decoding
    needed = {
        "GPUs": images / (cluster.images_per_s * gpus),
        "decoding": images * decoding / (cluster.cores_per_gpu * gpus),
        "claims": min(images, AHEAD * cluster.cores_per_gpu) / cluster.images_per_s,
        "storing": images * models * parts.storing,
    }
    limit = max(needed, key=lambda name: needed[name])
    readers = min(READERS, cluster.cores_per_gpu * cluster.on_a_node)
    start = [
        parts.launch if gpus > 1 else 0.0,
        parts.start + sum(parts.opening.values()),
        parts.trial + sum(parts.counting.values()),
        images * parts.inspecting / readers,
        agreement_s(parts, gpus) * AGREEMENTS * models,
    ]
    return Run(sum(start), needed[limit], limit)


def agreement_s(parts: Parts, processes: int) -> float:
    """One agreement: the first process looks for the value of each, and each for the answer."""
    return 4 * processes * parts.request if processes > 1 else 0.0


def read(path: Path) -> Json:
    """The record of this part of the project's benchmarks."""
    return json.loads(path.read_text(encoding="utf-8"))["scaling"]


def gpu_speeds(folder: Path, models: Collection[str]) -> dict[str, float]:
    """Images per second through all ``models``, each image once, by what has that speed.

    The assumed ones, and those of GPUs of which there is a record of ``vanbench bench`` in fp32 for
    each model.
    """
    speeds = {f"{speed} (assumed)": float(speed) for speed in ASSUMED}
    seconds: dict[str, dict[str, float]] = {}
    for record in map(bench_records.read, sorted(folder.glob("van_*.json"))):
        gpu, arch = record.environment.gpu, record.name.split(".")[0]
        if gpu and record.variant == ("cuda",) and arch in models:
            speed = record.at(record.batch_size).optimized
            seconds.setdefault(gpu, {})[arch] = 1 / speed
    whole = {gpu: 1 / sum(s.values()) for gpu, s in seconds.items() if len(s) == len(models)}
    return speeds | {f"{speed:.0f} ({gpu}, measured)": speed for gpu, speed in whole.items()}


def tables(record: Json, folder: Path) -> str:
    """Markdown: the parts, the local runs, and what follows for GPUs.

    ``folder`` has the records of ``vanbench bench``.
    """
    parts = Parts(**record["parts"])
    speeds = gpu_speeds(folder, parts.forward)
    runs = len(record["runs"]["1"])
    return "\n\n".join(
        [
            _about(record),
            "### Measured: the parts\n\nIn milliseconds of one core.",
            _markdown(_part_rows(parts)),
            f"### Measured and predicted: 1 to 4 processes\n\n`verify --all` of "
            f"{' and '.join(record['models'])} over {record['images']} images on this machine, "
            f"without a GPU; each figure is the median of {runs} runs in turns.",
            _markdown(_local_rows(record)),
            f"### Predicted: 1, 8 and 64 GPUs\n\n`verify --all` of {len(parts.forward)} models "
            f"over {VALIDATION_IMAGES:,} images. **How fast a GPU is, is assumed where the table "
            "says so**; all else is measured on this machine.",
            _markdown(_gpu_rows(parts, speeds)),
            "### Predicted: where it stops scaling\n\nWith the same speeds of a GPU, **assumed "
            "where the table says so**.",
            _markdown(_limit_rows(parts, speeds)),
            f"### Predicted: {MANY:,} models\n\nEach like the mean of the "
            f"{len(parts.forward)}, in one pass, {CORES} cores per GPU. With the same speeds of a "
            "GPU, **assumed where the table says so**.",
            _markdown(_many_rows(parts, speeds)),
        ]
    )


def _about(record: Json) -> str:
    about, load = record["environment"], record["load"]
    return (
        f"{about['cpu']}, {about['cores']} cores, torch {about['torch']}, {record['date']}; other "
        f"processes used {load['other_cores']:.1f} cores meanwhile. Models: "
        f"{', '.join(record['parts']['forward'])}, random weights; generated JPEGs of 500×375."
    )


def _part_rows(parts: Parts) -> list[dict[str, str]]:
    models = len(parts.forward)
    rows = [
        ("starting, with torch and a worker", "process", parts.start),
        (f"opening and rewriting {models} models", "process", sum(parts.opening.values())),
        ("torchrun itself", "run", parts.launch),
        ("trial of the rewrite", "run", parts.trial),
        (f"counting FLOPs of {models} models", "run", sum(parts.counting.values())),
        ("reading and hashing an image", "image and node", parts.inspecting),
        ("decoding an image", "image", parts.decoding),
        ("reading a crop from the cache instead", "image", parts.cached),
        *((f"{name} on this CPU", "image", s) for name, s in parts.forward.items()),
        ("receiving and storing a prediction", "image and model", parts.storing),
        ("a request to torchrun's store", "request", parts.request),
    ]
    return [{"part": what, "once per": per, "ms": f"{1e3 * s:,.3f}"} for what, per, s in rows]


def _local_rows(record: Json) -> list[dict[str, str]]:
    parts, cores = Parts(**record["parts"]).of(*record["models"]), record["environment"]["cores"]
    rows = []
    for processes, runs in record["runs"].items():
        expected = local(parts, record["images"], int(processes), cores)
        seconds, core_s = (median(run[key] for run in runs) for key in ("seconds", "core_s"))
        rows.append(
            {
                "processes": processes,
                "predicted core-seconds": f"{expected.core_s:.1f}",
                "measured core-seconds": f"{core_s:.1f}",
                "ratio": f"{core_s / expected.core_s:.2f}",
                "predicted s, idle machine": f"{expected.seconds:.1f}",
                "measured s": f"{seconds:.1f}",
                "ratio of the times": f"{seconds / expected.seconds:.2f}",
            }
        )
    return rows


def _gpu_rows(parts: Parts, speeds: Mapping[str, float]) -> list[dict[str, str]]:
    rows = []
    for name, speed in speeds.items():
        first = on_gpus(parts, VALIDATION_IMAGES, Cluster(1, CORES, speed)).seconds
        for gpus in GPUS:
            few, usual = (Cluster(gpus, cores, speed) for cores in (FEW_CORES, CORES))
            run = on_gpus(parts, VALIDATION_IMAGES, usual)
            others = {
                f"pass with {FEW_CORES} cores per GPU": on_gpus(parts, VALIDATION_IMAGES, few),
                "the same from the cache": on_gpus(parts, VALIDATION_IMAGES, few, cached=True),
            }
            rows.append(
                {
                    SPEED: name,
                    "GPUs": f"{gpus}",
                    "start-up": duration(run.start_s),
                    f"pass with {CORES} cores per GPU": _pass(run),
                    "in all": duration(run.seconds),
                    "speed-up": f"{first / run.seconds:.1f}",
                    **{what: _pass(other) for what, other in others.items()},
                }
            )
    return rows


def _pass(run: Run) -> str:
    return f"{duration(run.pass_s)} ({run.limit})"


def _limit_rows(parts: Parts, speeds: Mapping[str, float]) -> list[dict[str, str]]:
    stored = 1 / (parts.storing * len(parts.forward))
    rows = []
    for name, speed in speeds.items():
        start = on_gpus(parts, VALIDATION_IMAGES, Cluster(PER_NODE, CORES, speed)).start_s
        rows.append(
            {
                SPEED: name,
                "cores that decode for a GPU": f"{parts.decoding * speed:.1f}",
                "with the cache": f"{parts.cached * speed:.2f}",
                "GPUs for which one process can store": f"{stored / speed:.0f}",
                "GPUs with which the pass is as long as the start-up": (
                    f"{VALIDATION_IMAGES / speed / start:.1f}"
                ),
            }
        )
    return rows


def _many_rows(parts: Parts, speeds: Mapping[str, float]) -> list[dict[str, str]]:
    many, rows = parts.repeated(MANY), []
    for name, speed in speeds.items():
        for gpus in GPUS:
            cluster = Cluster(gpus, CORES, speed * len(parts.forward) / MANY)
            run = on_gpus(many, VALIDATION_IMAGES, cluster)
            rows.append(
                {
                    f"{SPEED}, through {len(parts.forward)}": name,
                    "GPUs": f"{gpus}",
                    "opening": duration(sum(many.opening.values())),
                    "counting": duration(sum(many.counting.values())),
                    "agreeing": duration(agreement_s(parts, gpus) * AGREEMENTS * MANY),
                    "pass": _pass(run),
                    "in all": duration(run.seconds),
                }
            )
    return rows


def _markdown(rows: list[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    records = Path("results/bench")
    markers.write(DOCUMENT, tables(read(records / "project.json"), records))
