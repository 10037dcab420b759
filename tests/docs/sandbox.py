"""Where the commands of the documentation run: small files under the names that the pages use.

- ``/data/imagenet/val`` is a drawn ImageNet in class folders, of two images in each of 20 classes; the
  same images are in ``/data/imagenet/ILSVRC2012_img_val.tar``.
- ``/data/imagenetv2-matched-frequency-format-val`` is a drawn part of ImageNet-V2.
- The published models are small random ones, in a zoo file that ``VANBENCH_ZOO`` names. Their files
  are on the disk, so that nothing is downloaded.
- ``/data/checkpoints`` and ``~/Downloads`` hold a copy of one of these files, and files of one more
  model have the names ``my_van.pth``, ``van.pth``, ``A``, ``B``, …; ``mine.toml`` describes it.
- Every model has a stored run over the images, and so has the demo zoo.
"""

import glob
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from tests.support import drawing
from tests.support.arranged import Claim, checkpoint, published_name, write_zoo
from tests.support.command_line import run
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import OFFICIAL
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.reader import load_zoo

ELSEWHERE = ("/data/", "~/")
"""Paths that are inside the sandbox, as the pages show them."""

DIGITS = "0123abcd"

METAFILE = """\
Models:
  - Name: van-b0_8xb128_in1k
    Metadata: {FLOPs: 880000000, Parameters: 4110000}
    In Collection: Visual-Attention-Network
    Results:
      - Dataset: ImageNet-1k
        Metrics: {Top 1 Accuracy: 75.41, Top 5 Accuracy: 93.02}
        Task: Image Classification
    Weights: https://example.org/van-b0_8xb128_in1k-385941af.pth
"""

README = "# Mine\n\n<!-- vanbench:results:begin -->\n<!-- vanbench:results:end -->\n"


def environment(home: Path) -> dict[str, str]:
    """Environment variables that keep a command in the sandbox, and quick."""
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "TORCH_HOME": str(home / "torch"),
        "VANBENCH_ZOO": "zoo.toml",
        "VANBENCH_OFFLINE": "1",
        "VANBENCH_DEVICE": "cpu",
        "VANBENCH_SECONDS": "0.01",
        "VANBENCH_SAMPLE": "8",
    }


def build(root: Path) -> None:
    """Lay out the sandbox in the folder ``root``, which is the working folder."""
    pictures = drawing.pictures(2, imagenet_1k()[:20])
    drawing.class_folders(root / "data/imagenet/val", pictures)
    drawing.original_tar(root / "data/imagenet", pictures)
    for label in (9, 10):
        folder = root / "data/imagenetv2-matched-frequency-format-val" / str(label)
        folder.mkdir(parents=True)
        (folder / "0a1b2c.jpeg").write_bytes(drawing.jpeg(label))
    claims = [_published(root, entry.name) for entry in load_zoo("openmmlab").entries]
    write_zoo(root / "zoo.toml", "imagenet-1k", *claims)
    for folder in ("data/checkpoints", "Downloads"):
        (root / folder).mkdir(parents=True)
        shutil.copy(root / claims[0].url, root / folder)
    (root / "README.md").write_text(README, encoding="utf-8")
    (root / "metafile.yml").write_text(METAFILE, encoding="utf-8")
    _own_files(root)


def prime(root: Path, env: dict[str, str]) -> None:
    """Store a run of every model, and export one; the working folder is ``root``."""
    env = env | {"VANBENCH_WORKERS": "0"}
    run("validate", "--all", "--data", root / "data/imagenet/val", env=env)
    run("verify", "--all", "--zoo", "demo", env=env)
    run("predictions", "van_b0.in1k", "--write", "before-upgrade.csv", env=env)
    run("export", "--checkpoint", "my_van.pth", "my_van.onnx", env=env)


def _published(root: Path, name: str) -> Claim:
    """A small model under a published name, with its file."""
    folder = root / "weights"
    folder.mkdir(exist_ok=True)
    model = randomized(replace(TINY, num_classes=1000), seed=len(list(folder.iterdir())))
    content = checkpoint(model)
    file = folder / published_name(content, name.split(".")[0])
    file.write_bytes(content)
    return Claim(name, f"weights/{file.name}", model, top1="50.00", top5="60.00")


def _own_files(root: Path) -> None:
    """The files of one more model, under the names of the examples, and its zoo file."""
    claim = _published(root, "my_van.in1k")
    write_zoo(root / "mine.toml", "imagenet-1k", claim)
    for name in ("FILE", "A", "my_van.pth", "van.pth", "weights.pth", "van_tiny_754.pth.tar"):
        shutil.copy(root / claim.url, root / name)
    for name in ("B", "van-tiny_8xb128_in1k_20220501-385941af.pth"):
        (root / name).write_bytes(checkpoint(claim.model, OFFICIAL))


def inside(root: Path, word: str) -> list[str]:
    """A word of a command as the shell expands it, with paths of the pages in the sandbox."""
    if word.startswith(ELSEWHERE):
        return [str(root / word.lstrip("~/"))]
    return sorted(glob.glob(word, root_dir=root)) or [word]


def with_digits(text: str, root: Path) -> str:
    """A text of docs/own-model.md with the digits of the file's hash, for which 0123abcd stands."""
    files = sorted(root.glob("my_van*.safetensors"))
    digits = hashlib.sha256(files[0].read_bytes()).hexdigest()[:8] if files else ""
    return text.replace(DIGITS, digits) if digits else text
