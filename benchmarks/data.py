"""The data side: inspecting many files, reading each layout, storing the predictions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.material import official_class, photograph, photographs
from tests.support import drawing
from vanbench.data.decode import decode
from vanbench.data.decoder_check import check_decoder
from vanbench.data.inspect import inspect
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.data.pixel_cache import open_pixel_cache
from vanbench.data.preprocess import to_pixels
from vanbench.evaluation.crops import CropsOf, in_pieces, load
from vanbench.evaluation.plan import ignore_message
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.schema import Member
from vanbench.prediction_store.store import FILE, RunKey, Store
from vanbench.typed_json import Json
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol

LAYOUTS: dict[str, Callable[[Path, Sequence[drawing.Picture]], Path]] = {
    "folders": drawing.class_folders,
    "tar": drawing.original_tar,
    "parquet": drawing.parquet,
    "webdataset": drawing.webdataset,
}
ROUNDS = 3
MODELS, BATCH = 5, 32


def preflight(folder: Path, per_class: int) -> Json:
    """Seconds to check a set of ``1000 · per_class`` small files in class folders."""
    drawing.class_folders(folder, drawing.pictures(per_class))
    start = perf_counter()
    report = inspect(open_images(folder, imagenet_1k()))
    return {"images": report.images, "verdict": report.verdict, "seconds": perf_counter() - start}


def reading(folder: Path, count: int) -> Json:
    """Seconds per image to read, and to read and decode, from each layout, in turns."""
    names = [drawing.official_name(number) for number in range(1, count + 1)]
    pictures = [
        drawing.Picture(name, official_class(name), photograph(number))
        for number, name in enumerate(names)
    ]
    sets = {
        name: open_images(write(folder / name, pictures), imagenet_1k())
        for name, write in LAYOUTS.items()
    }
    read: dict[str, list[float]] = {name: [] for name in sets}
    decoded: dict[str, list[float]] = {name: [] for name in sets}
    for _ in range(ROUNDS):
        for name, images in sets.items():
            read[name].append(_seconds(images, lambda encoded: None))
            decoded[name].append(
                _seconds(images, lambda e: to_pixels(decode(e), EvaluationProtocol()))
            )
    return {
        "images": count,
        "read_s": {name: median(times) for name, times in read.items()},
        "read_and_decode_s": {name: median(times) for name, times in decoded.items()},
    }


def _seconds(images: ImageSet, use: Callable[[bytes], object]) -> float:
    order = images.storage_order(list(range(len(images))))
    start = perf_counter()
    for index in order:
        use(images.read(index))
    return (perf_counter() - start) / len(images)


def caching(folder: Path, count: int) -> Json:
    """Seconds per image of a pass without a model, in turns.

    Over images that are decoded; decoded, and stored in the cache; read from the cache.
    """
    protocol, decoder = EvaluationProtocol(), check_decoder()
    images = open_images(photographs(folder / "images", count), protocol.class_ids)
    content = inspect(images).content
    times: dict[str, list[float]] = {"decoded_s": [], "stored_s": [], "read_s": []}
    for number in range(ROUNDS):
        for name, taken in times.items():
            place, hashes = folder / f"cache-{number}", content.values()
            cache = open_pixel_cache(place, hashes, protocol, decoder, ignore_message)
            used = None if name == "decoded_s" else cache
            crops = load(CropsOf(images, protocol, content, cache=used), in_pieces(range(count)), 0)
            start = perf_counter()
            read = sum(piece.cache.read for piece in crops)
            taken.append((perf_counter() - start) / count)
            assert read == (count if name == "read_s" else 0)
    return {"images": count, **{name: median(taken) for name, taken in times.items()}}


def storing(folder: Path, images: int) -> Json:
    """Seconds and bytes to store the predictions of five models over a set."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [drawing.official_name(number % 50_000 + 1) for number in range(images)]
    five = Prediction((1, 2, 3, 4, 5), (5.0, 4.0, 3.0, 2.0, 1.0))
    start = perf_counter()
    with Store(folder / FILE) as store:
        ids = store.image_ids({number: f"{number:064x}" for number in range(images)})
        members = [Member(ids[number], 7, name) for number, name in enumerate(names)]
        store.remember_set("f", imagenet_1k(), members)
        runs = [store.run(f"{m}", RunKey(f"{m}", {}, {}), "2026-01-01") for m in range(MODELS)]
        for first in range(0, images, BATCH):
            some = range(first, min(first + BATCH, images))
            store.add((run, ids[number], five) for run in runs for number in some)
    seconds = perf_counter() - start
    size = sum(file.stat().st_size for file in folder.iterdir())
    return {"images": images, "models": MODELS, "seconds": seconds, "bytes": size}
