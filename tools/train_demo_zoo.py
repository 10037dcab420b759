"""Re-create the demo zoo from scratch: the images, two trained VANs and the claims about them.

    python tools/train_demo_zoo.py

The scans are scikit-learn's handwritten digits (1,797 scans of 8×8 pixels). The last 36 of each
digit, in the data set's own order, are held out; they are written as JPEG files in class folders
and no training step sees them. Of each other scan several JPEG images are made in the same way,
with differing sizes and colours, and both networks train on these alone. Hyperparameters and seeds
are fixed here, and the network is the one after the last epoch. Only one decision depends on the
held-out images: where a network's margin between right and wrong is below ``MIN_MARGIN`` for one of
them, it is trained again with the next seed, so that another machine's rounding cannot change a
reported figure.

What a second run gives: on the same machine with the same package versions, the same images and
the same weights, bit for bit. Other versions or processors round differently, and training
amplifies such differences: their weights and accuracies differ. The file in the legacy
serialisation has another hash after every run, because that format stores memory addresses beside
the weights.

All files are made in a temporary folder and moved in place at the end.
"""

import argparse
import hashlib
import io
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from vanbench.checkpoints.key_names import OPENMMLAB, from_native
from vanbench.checkpoints.load import load_model
from vanbench.data.decode import decode
from vanbench.data.preprocess import preprocess
from vanbench.model.architecture import Architecture
from vanbench.model.build import build
from vanbench.model.van import VAN, initialize
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.reader import load_zoo

ZOOS = Path(__file__).resolve().parents[1] / "vanbench" / "zoos"

CLASSES = tuple(f"digit-{digit}" for digit in range(10))
PROTOCOL = EvaluationProtocol(resize_short_edge=36, center_crop=32, classes=CLASSES)
HELD_OUT_PER_CLASS = 36
LAYER_NORM_EPS = 1e-5

MODELS = {
    "van_nano.digits": Architecture((12, 24, 36, 48), (1, 1, 1, 1), (8, 8, 4, 4), len(CLASSES)),
    "van_micro.digits": Architecture((16, 32, 48, 64), (2, 2, 4, 2), (8, 8, 4, 4), len(CLASSES)),
}
WRAPPED = {"van_micro.digits"}  # saved as a zip with the tensors under "state_dict"

EPOCHS = 10
LOOKS = 8  # how many images are made of each training scan
BATCH_SIZE = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
SEED = 2022
MIN_MARGIN = 1e-3  # in logits; fp32 rounding is about 1e-6

# How a scan may look: canvas (width, height) in pixels, and colours of paper and ink.
CANVASES = ((32, 32), (36, 36), (40, 40), (40, 48), (52, 44), (48, 37), (36, 41))
PAPERS = ((255, 255, 255), (250, 244, 226), (232, 236, 240))
INKS = ((16, 16, 16), (24, 40, 120), (110, 30, 24))
MARGIN = 2  # pixels of paper on each side of the scan, before it is shifted
EXIF_ORIENTATION, ROTATED_CLOCKWISE = 0x0112, 6


@dataclass(frozen=True)
class Scan:
    """One scan: its place in the data set, its digit, and ink (8, 8) from 0 to 16."""

    index: int
    digit: int
    ink: np.ndarray


def read_scans() -> tuple[list[Scan], list[Scan]]:
    """The training scans and the held-out ones: the last 36 of each digit."""
    digits = load_digits()
    pairs = zip(digits.target.tolist(), digits.images, strict=True)
    scans = [Scan(index, digit, ink) for index, (digit, ink) in enumerate(pairs)]
    training, held_out = [], []
    for digit in range(len(CLASSES)):
        own = [scan for scan in scans if scan.digit == digit]
        training += own[:-HELD_OUT_PER_CLASS]
        held_out += own[-HELD_OUT_PER_CLASS:]
    return training, held_out


def render(scan: Scan, rng: random.Random) -> Image.Image:
    """The scan on paper, enlarged and slightly shifted: RGB, or grey one time in four."""
    size = rng.choice(CANVASES)
    side = min(size) - 2 * MARGIN
    x, y = ((length - side) // 2 + rng.randint(-MARGIN, MARGIN) for length in size)
    ink = Image.fromarray(np.rint(scan.ink * 255 / 16).astype(np.uint8))
    page = Image.new("RGB", size, rng.choice(PAPERS))
    page.paste(rng.choice(INKS), (x, y), ink.resize((side, side), Image.Resampling.BICUBIC))
    return page.convert("L") if rng.random() < 0.25 else page


def encode(page: Image.Image, rng: random.Random) -> bytes:
    """The page as a JPEG; one in eight is stored rotated, with the EXIF tag that says so."""
    exif = Image.Exif()
    if rng.random() < 0.125:
        page = page.transpose(Image.Transpose.ROTATE_90)
        exif[EXIF_ORIENTATION] = ROTATED_CLOCKWISE
    quality, progressive = rng.choice((80, 90, 95)), rng.random() < 0.25
    stream = io.BytesIO()
    page.save(stream, "JPEG", quality=quality, optimize=True, progressive=progressive, exif=exif)
    return stream.getvalue()


def jpeg(scan: Scan, look: int = 0) -> bytes:
    """A JPEG file of the scan; the same for the same scan and look."""
    rng = random.Random(scan.index * 1000 + look)
    return encode(render(scan, rng), rng)


def write_images(held_out: Sequence[Scan], folder: Path) -> None:
    """One JPEG per held-out scan, ``<class id>/scan-<index>.jpg``."""
    for scan in held_out:
        path = folder / CLASSES[scan.digit] / f"scan-{scan.index:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(scan))


def network_input(encoded: bytes) -> Tensor:
    """float32 (3, 32, 32) of a JPEG file, under the zoo's protocol."""
    return preprocess(decode(encoded), PROTOCOL)


def training_set(scans: Sequence[Scan]) -> tuple[Tensor, Tensor]:
    """Inputs (N, 3, 32, 32) and labels (N,): every scan in each of its looks."""
    pairs = [(network_input(jpeg(s, look)), s.digit) for s in scans for look in range(LOOKS)]
    images, labels = zip(*pairs, strict=True)
    return torch.stack(images), torch.tensor(labels)


def validation_set(folder: Path) -> tuple[Tensor, Tensor]:
    """Inputs (N, 3, 32, 32) and labels (N,) of the written JPEG files."""
    paths = [(path, label) for label, c in enumerate(CLASSES) for path in (folder / c).iterdir()]
    images = torch.stack([network_input(path.read_bytes()) for path, _ in paths])
    return images, torch.tensor([label for _, label in paths])


def batches(n: int) -> Iterator[Tensor]:
    """Indices of one epoch: shuffled, in full batches, the rest left out."""
    order = torch.randperm(n)
    yield from order[: n - n % BATCH_SIZE].split(BATCH_SIZE)


def train(architecture: Architecture, data: tuple[Tensor, Tensor], epochs: int, seed: int) -> VAN:
    """A network trained from random weights: AdamW, one-cycle learning rate, cross-entropy."""
    torch.manual_seed(seed)
    images, labels = data
    model = initialize(build(architecture, LAYER_NORM_EPS)).train()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * (len(images) // BATCH_SIZE)
    )
    for epoch in range(epochs):
        start = time.perf_counter()
        losses = []
        for batch in batches(len(images)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        seconds = time.perf_counter() - start
        print(f"  epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.4f}, {seconds:.1f} s")
    return model


def serialize(model: VAN, wrapped: bool) -> bytes:
    """The file: OpenMMLab's names, bare in the legacy serialisation or wrapped in a zip."""
    state = from_native(model.state_dict(), OPENMMLAB)
    content = {"meta": {"CLASSES": list(CLASSES)}, "state_dict": state} if wrapped else state
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=wrapped)
    return stream.getvalue()


def save(model: VAN, name: str, folder: Path) -> Path:
    """The written file, named like its model and the first 8 hex digits of its SHA-256."""
    content = serialize(model, name in WRAPPED)
    digest = hashlib.sha256(content).hexdigest()[:8]
    arch, tag = name.split(".")
    path = folder / f"{arch.replace('_', '-')}_{tag}-{digest}.pth"
    path.write_bytes(content)
    return path


def margins(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Each label's logit minus the ``k``-th best of the others, (N,): positive in the top k."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.topk(k).values[:, -1]


@dataclass(frozen=True)
class Measurement:
    """What the evaluation loop found: correct answers, of how many, and the smallest margin."""

    correct1: int
    correct5: int
    images: int
    smallest_margin: float


def evaluate(path: Path, data: tuple[Tensor, Tensor]) -> Measurement:
    """The measurement of a saved file on the held-out images."""
    images, labels = data
    with torch.inference_mode():
        logits = load_model(path, layer_norm_eps=LAYER_NORM_EPS)(images)
    top1, top5 = margins(logits, labels, 1), margins(logits, labels, 5)
    smallest = torch.cat([top1, top5]).abs().min().item()
    return Measurement(int((top1 > 0).sum()), int((top5 > 0).sum()), len(labels), smallest)


def count_params(a: Architecture) -> int:
    """Closed form of the number of parameters, with the head."""
    total, in_dim, kernel = 0, 3, 7
    for dim, depth, r in zip(a.embed_dims, a.depths, a.mlp_ratios, strict=True):
        embed = kernel**2 * in_dim * dim + 3 * dim  # convolution, its bias, BatchNorm
        attention = 3 * (dim**2 + dim) + 26 * dim + 50 * dim  # 1×1 three times, 5×5, 7×7
        mlp = 2 * r * dim**2 + r * dim + dim + 10 * r * dim  # 1×1 twice, 3×3
        block = attention + mlp + 6 * dim  # two BatchNorms, two layer scales
        total += embed + depth * block + 2 * dim  # LayerNorm
        in_dim, kernel = dim, 3
    return total + (in_dim + 1) * a.num_classes


def count_flops(a: Architecture, side: int) -> int:
    """Closed form of the FLOPs under OpenMMLab's convention, without the head.

    Per position of a map: the multiply–adds, 1 per channel for a convolution's bias, 2 per
    channel for BatchNorm and LayerNorm; then 1 per element of the pooled map.
    """
    total, in_dim, kernel, stride = 0, 3, 7, 4
    for dim, depth, r in zip(a.embed_dims, a.depths, a.mlp_ratios, strict=True):
        side = -(-side // stride)
        embed = kernel**2 * in_dim * dim + 3 * dim  # convolution, its bias, BatchNorm
        attention = 3 * (dim**2 + dim) + 26 * dim + 50 * dim  # 1×1 three times, 5×5, 7×7
        mlp = 2 * r * dim**2 + r * dim + dim + 10 * r * dim  # 1×1 twice, 3×3
        block = attention + mlp + 4 * dim  # two BatchNorms
        total += side**2 * (embed + depth * block + 2 * dim)  # LayerNorm
        in_dim, kernel, stride = dim, 3, 2
    return total + side**2 * in_dim


def create_model_file(
    name: str, folder: Path, data: dict[str, tuple[Tensor, Tensor]], epochs: int, seed: int
) -> tuple[Path, Measurement]:
    """The file of the first seed, from ``seed`` on, whose margins are at least ``MIN_MARGIN``."""
    while True:
        print(f"{name}, seed {seed}")
        path = save(train(MODELS[name], data["training"], epochs, seed), name, folder)
        found = evaluate(path, data["validation"])
        print(f"  {path.name}, {path.stat().st_size:,} bytes: {found}")
        if found.smallest_margin >= MIN_MARGIN:
            return path, found
        path.unlink()
        seed += 1


HEADER = """\
# The demo zoo: two small VANs trained on scikit-learn's handwritten digits, and held-out scans.
#
# Written by tools/train_demo_zoo.py of the source repository, with every figure as that training
# run measured it; demo/README.md says how. Do not edit by hand.
#
# Scans: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
# Repository (1998), https://doi.org/10.24432/C50P49, CC BY 4.0; the copy of its test set that
# sklearn.datasets.load_digits bundles. Changed here: enlarged, placed on paper, JPEG-encoded.

schema = 1
name = "demo"
title = "Two small VANs on handwritten digits"
source = "sklearn.datasets.load_digits (UCI, Optical Recognition of Handwritten Digits)"

# The held-out scans, beside this file.
data = "demo/images"
"""


def toml(value: object) -> str:
    """A TOML value; a table is written inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(v)}' for key, v in value.items())} }}"
    return repr(value)


def zoo_text(models: dict[str, tuple[Path, Measurement]]) -> str:
    """The zoo file of the saved models."""
    counting = {
        "convention": "openmmlab",
        "resolution": PROTOCOL.center_crop,
        "num_classes": len(CLASSES),
    }
    shared = f"layer_norm_eps = {LAYER_NORM_EPS}\ncounting = {toml(counting)}\n"
    protocol = [f"{key} = {toml(value)}\n" for key, value in asdict(PROTOCOL).items()]
    tables = [model_table(name, *found) for name, found in models.items()]
    return "\n".join([HEADER, shared, "[protocol]\n" + "".join(protocol), *tables])


def model_table(name: str, path: Path, found: Measurement) -> str:
    """One model of the zoo file."""
    a = MODELS[name]
    architecture = {k: v for k, v in vars(a).items() if k != "num_classes"}
    reported = {
        "params_m": f"{count_params(a) / 1e6:.4f}",
        "flops_g": f"{count_flops(a, PROTOCOL.center_crop) / 1e9:.6f}",
        "top1": f"{100 * found.correct1 / found.images:.2f}",
        "top5": f"{100 * found.correct5 / found.images:.2f}",
    }
    rows = {"architecture": architecture, "url": f"demo/{path.name}", "reported": reported}
    return f'[models."{name}"]\n' + "".join(f"{k} = {toml(v)}\n" for k, v in rows.items())


def create_zoo(folder: Path, epochs: int, seed: int) -> None:
    """Everything this script makes, written into an empty folder, and read once as a zoo."""
    images = folder / "demo" / "images"
    training, held_out = read_scans()
    write_images(held_out, images)
    data = {"training": training_set(training), "validation": validation_set(images)}
    models = {name: create_model_file(name, folder / "demo", data, epochs, seed) for name in MODELS}
    zoo = folder / "demo.toml"
    zoo.write_text(zoo_text(models), encoding="utf-8")
    load_zoo(str(zoo))


def move_in_place(new: Path, out: Path) -> None:
    """Put the new zoo where the old one was; the old files end up in ``new``."""
    (out / "demo").mkdir(exist_ok=True)
    replaced = new / "replaced"
    replaced.mkdir()
    for old in (*(out / "demo").glob("*.pth"), out / "demo" / "images"):
        if old.exists():
            shutil.move(old, replaced)
    for made in (new / "demo").iterdir():
        os.replace(made, out / "demo" / made.name)
    os.replace(new / "demo.toml", out / "demo.toml")


def main() -> None:
    """Read the options, train, publish."""
    parser = argparse.ArgumentParser(description="Re-create the demo zoo from scratch.")
    parser.add_argument("--out", type=Path, default=ZOOS, help="folder of demo.toml and demo/")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.out, prefix=".demo-") as folder:
        create_zoo(Path(folder), options.epochs, options.seed)
        move_in_place(Path(folder), options.out)
    print(f"{options.out / 'demo.toml'} written after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
