"""Where the commands of the documentation run: small files under the names that the pages use.

- ``/data/imagenet/val`` is a drawn ImageNet in class folders, of two images in each of 20 classes.
- The published models are small random ones, in a zoo file that ``VANBENCH_ZOO`` names. Their files
  are beside it, so that nothing is downloaded.
- ``/data/checkpoints`` and ``~/Downloads`` hold a copy of one of these files.
- Every model has a stored run over the images, and so has the demo zoo.
"""

import os
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
    drawing.class_folders(root / "data/imagenet/val", drawing.pictures(2, imagenet_1k()[:20]))
    claims = [_published(root, entry.name) for entry in load_zoo("openmmlab").entries]
    write_zoo(root / "zoo.toml", "imagenet-1k", *claims)
    for folder in ("data/checkpoints", "Downloads"):
        (root / folder).mkdir(parents=True)
        shutil.copy(root / claims[0].url, root / folder)
    (root / "README.md").write_text(README, encoding="utf-8")
    model = randomized(TINY, seed=9)
    (root / "FILE").write_bytes(checkpoint(model))
    (root / "A").write_bytes(checkpoint(model))
    (root / "B").write_bytes(checkpoint(model, OFFICIAL))


def prime(root: Path, env: dict[str, str]) -> None:
    """Store a run of every model, and export one; the working folder is ``root``."""
    env = env | {"VANBENCH_WORKERS": "0"}
    run("validate", "--all", "--data", root / "data/imagenet/val", env=env)
    run("verify", "--all", "--zoo", "demo", env=env)
    run("predictions", "van_b0.in1k", "--write", "before-upgrade.csv", env=env)


def _published(root: Path, name: str) -> Claim:
    """A small model under a published name, with its file."""
    model = randomized(replace(TINY, num_classes=1000), seed=len(list(root.glob("*.pth"))))
    content = checkpoint(model)
    file = published_name(content, name.split(".")[0])
    (root / file).write_bytes(content)
    return Claim(name, file, model, top1="50.00", top5="60.00")


def inside(root: Path, word: str) -> str:
    """A word of a command, with a path of the pages replaced by that in the sandbox."""
    if word.startswith(ELSEWHERE):
        return str(root / word.lstrip("~/"))
    return os.path.expandvars(word)
