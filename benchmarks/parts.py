"""Measuring the parts of a run, in seconds of one core, and runs of several local processes.

Times of the processor, not of the clock: they depend least on what else the machine does.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from torch.distributed import TCPStore

from benchmarks.material import checkpoint, photographs
from benchmarks.scaling import Parts
from tests.support import drawing
from vanbench.benchmark.memory import in_new_process
from vanbench.checkpoints.load import open_checkpoint
from vanbench.data.decoder_check import check_decoder
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.data.pixel_cache import open_pixel_cache
from vanbench.devices import cpu_threads, numerics
from vanbench.distributed import Processes, Team
from vanbench.environment import today
from vanbench.evaluation.collect import Collected
from vanbench.evaluation.crops import CropsOf, in_pieces
from vanbench.evaluation.plan import RunOptions, ignore_message
from vanbench.evaluation.predict import BatchPredictions
from vanbench.evaluation.ready import resolve
from vanbench.evaluation.resume import StoredRuns
from vanbench.files import sha256_of
from vanbench.flops import count_as_reported
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_normal
from vanbench.prediction_store.store import FILE, RunKey, Store
from vanbench.report.records import Times
from vanbench.runtimes.choose import as_asked
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import OPTIMIZED
from vanbench.typed_json import Json, to_json
from vanbench.zoo.entries import EvaluationProtocol

CPU = torch.device("cpu")
PROTOCOL = EvaluationProtocol()
BATCH = 32
LAUNCHER = ("torch.distributed.run", "--nproc-per-node")

ZOO = """\
schema = 1
name = "scaling"
title = "Random weights"
source = "https://example.org"
[protocol]
classes = "imagenet-1k"
"""


def core_seconds(function: Callable[[], object]) -> float:
    """The time of the processor that a call takes in this process, in all its threads."""
    start = process_time()
    function()
    return process_time() - start


def command(*words: str) -> tuple[Json, str]:
    """What a command takes, with all processes that it starts, and what it prints on stdout.

    Its exit code is not looked at: a part of ImageNet is never measured in full. Threads that wait
    do so without using the processor, which would count as work.
    """
    env = os.environ | {"OMP_WAIT_POLICY": "passive"}
    before, start = _children(), perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, env=env)
    taken = {"seconds": perf_counter() - start, "core_s": _children() - before}
    if not done.stdout:
        raise SystemExit(f"{' '.join(words)}:\n{done.stderr}")
    return taken, done.stdout


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def scaling(
    folder: Path,
    models: Sequence[str],
    local_models: Sequence[str],
    images: int,
    repeats: int,
    processes: Sequence[int] = (1, 2, 3, 4),
) -> Json:
    """The parts with all ``models``, and in turns the runs of ``local_models`` over images."""
    files = {name: checkpoint(folder / "files", name) for name in models}
    data = photographs(folder / "images", images)
    zoo = _zoo(folder / "zoo.toml", {name: files[name] for name in local_models})
    runs: dict[str, list[Json]] = {str(count): [] for count in processes}
    found = []
    for _ in range(repeats):
        for count, taken in runs.items():
            taken.append(_run(folder, zoo, data, int(count)))
        found.append(to_json(in_new_process(measured, folder, files, data)))
    counts = {str(run["correct"]) for taken in runs.values() for run in taken}
    assert len(counts) == 1, f"counts depend on the number of processes: {counts}"
    parts = {key: _middle([one[key] for one in found]) for key in found[0]}
    return {"models": list(local_models), "images": images, "parts": parts, "runs": runs}


def _middle(values: Sequence[Json]) -> Json:
    """The median of numbers, or of each number in objects."""
    if isinstance(values[0], dict):
        return {key: median(value[key] for value in values) for key in values[0]}
    return median(values)


def _zoo(path: Path, files: dict[str, Path]) -> Path:
    """A zoo of these files, which claims nothing of them but their hashes."""
    text = ZOO
    for name, file in files.items():
        text += f'[models."{name}.random"]\narchitecture = "{name}"\n'
        text += f'url = "files/{file.name}"\nsha256 = "{sha256_of(file)}"\n'
    path.write_text(text, encoding="utf-8")
    return path


def _run(folder: Path, zoo: Path, data: Path, processes: int) -> Json:
    """One run of ``verify --all`` in so many processes: its times and counts."""
    launcher = [*LAUNCHER, str(processes), "-m"]
    words = ["vanbench", "verify", "--all", "--zoo", zoo, "--data", data, "--fresh", "--json", "-q"]
    words += ["--results", folder / "results", "--cache", folder / "cache", "--device", "cpu"]
    taken, printed = command(*(launcher if processes > 1 else []), *map(str, words))
    models = json.loads(printed)["models"]
    return taken | {"correct": [[m[top]["correct"] for top in ("top1", "top5")] for m in models]}


def measured(folder: Path, files: dict[str, Path], data: Path) -> Parts:
    """The parts, once; in a process that has done nothing before, as that of a run.

    With one thread, because threads that wait for each other use the processor too.
    """
    with cpu_threads(1):
        return _measured(folder, files, data)


def _measured(folder: Path, files: dict[str, Path], data: Path) -> Parts:
    trial = core_seconds(lambda: resolve(RunOptions(device="cpu"), CPU))
    inspecting, decoding, cached = of_images(data, folder / f"crops-{perf_counter()}")
    return Parts(
        start=_start(folder),
        opening={name: core_seconds(lambda p=path: _open(p)) for name, path in files.items()},
        launch=_launch(),
        trial=trial,
        counting={name: core_seconds(lambda n=name: _count(n)) for name in files},
        inspecting=inspecting,
        decoding=decoding,
        cached=cached,
        forward={name: _forward(path) for name, path in files.items()},
        storing=storing(folder / f"store-{perf_counter()}", per_class=2, models=5),
        request=request(),
    )


def _start(folder: Path) -> float:
    """A process with one image and a tiny model: importing, checking the decoder, a worker."""
    words = ["validate", "van_nano", "--zoo", "demo", "--limit", "1", "--reference", "--fresh"]
    words += ["--workers", "1", "--device", "cpu", "--results", str(folder / "results")]
    return command("vanbench", *words)[0]["core_s"]


def _launch() -> float:
    """torchrun's own time: what a command that computes nothing takes with it and without."""
    plain, _ = command("vanbench", "--version")
    launched, _ = command(*LAUNCHER, "1", "-m", "vanbench", "--version")
    return max(0.0, launched["core_s"] - plain["core_s"])


def _open(path: Path) -> torch.nn.Module:
    """Hashed twice, as when it is obtained and opened; rewritten as the trial decides."""
    sha256_of(path)
    checkpoint = open_checkpoint(path, layer_norm_eps=1e-6)
    options = resolve(RunOptions(device="cpu"), CPU)
    return as_asked(checkpoint.van, Setting(CPU, rewrite=options.rewrite), OPTIMIZED)[0]


def _count(name: str) -> object:
    return count_as_reported(ARCHITECTURES[name], 1000, 224, "cpu")


def of_images(data: Path, cache_folder: Path) -> tuple[float, float, float]:
    """For each image: to inspect it; to read, hash and decode it; to take its crop from a cache."""
    images = open_images(data, PROTOCOL.class_ids)
    indices = range(len(images))
    start = process_time()
    content = inspect(images).content
    inspecting = process_time() - start

    def crops(*, cached: bool) -> float:
        hashes, decoder = content.values(), check_decoder()
        cache = open_pixel_cache(cache_folder, hashes, PROTOCOL, decoder, ignore_message)
        source = CropsOf(images, PROTOCOL, content, cache=cache if cached else None)
        return core_seconds(lambda: [source[index] for index in indices]) / len(images)

    crops(cached=True)  # stores them, and decodes for the first time
    return inspecting / len(images), crops(cached=False), crops(cached=True)


def _forward(path: Path) -> float:
    """One image of a batch."""
    model = _open(path)
    x = random_normal(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with numerics(CPU, "fp32"), torch.inference_mode():
        model(x)
        return median(core_seconds(lambda: model(x)) for _ in range(3)) / BATCH


def storing(folder: Path, per_class: int, models: int) -> float:
    """One prediction that another process sent: to receive, count and store it."""
    data = drawing.class_folders(folder / "images", drawing.pictures(per_class))
    images = open_images(data, PROTOCOL.class_ids)
    indices = list(range(len(images)))
    names = [f"model-{number}" for number in range(models)]
    keys = {name: RunKey(name, {}, {}) for name in names}
    server = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    first, second = (
        Team(Processes(rank, 2, rank, 2), TCPStore("127.0.0.1", server.port, None, False))
        for rank in range(2)
    )
    with Store(folder / FILE) as store:
        runs = StoredRuns(store, images, inspect(images), indices, keys, today())
        collected = Collected(runs, names, 2, ignore_message)
        for piece in in_pieces(indices, BATCH):
            second.send(_predictions(piece, names))
        seconds = core_seconds(lambda: [collected.add(*sent) for sent in first.receive()])
    assert collected.done == len(indices)
    return seconds / (len(indices) * models)


def _predictions(indices: Sequence[int], names: Sequence[str]) -> BatchPredictions:
    logits = torch.arange(5.0).flip(0).repeat(len(indices), 1)
    top = {name: torch.arange(5).repeat(len(indices), 1) for name in names}
    return BatchPredictions(indices, top, {n: logits.clone() for n in names}, {}, Times())


def request(requests: int = 20_000, clients: int = 2) -> float:
    """One request to torchrun's store, of several clients, at its server."""
    server = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    server.set("key", b"value")
    pool = get_context("spawn")
    asking = [pool.Process(target=_ask, args=(server.port, requests)) for _ in range(clients)]
    start = process_time()
    for client in asking:
        client.start()
    for client in asking:
        client.join()
    return (process_time() - start) / (clients * requests)


def _ask(port: int, requests: int) -> None:
    store = TCPStore("127.0.0.1", port, None, False)
    for _ in range(requests):
        store.check(["key"])
