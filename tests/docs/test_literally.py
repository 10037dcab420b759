"""The quick start and the guide for a model of one's own, followed in an empty environment.

A new virtual environment gets the package from this checkout, as the quick start says; the guide then
runs with that installation, in a folder of its own. Only what stands for something of the reader's is
replaced: the folder of ImageNet, and the digits of the file's hash.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import all_blocks, blocks
from tests.docs.sandbox import README, with_digits
from tests.support import drawing
from tests.support.command_line import ROOT
from tests.test_packaging import tracked
from vanbench.zoo.class_ids import imagenet_1k

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the pages are for a POSIX shell"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the repository's files, in which the quick start makes its environment."""
    folder = tmp_path_factory.mktemp("repository")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def shell(script: str, folder: Path, path: Path | None = None) -> str:
    """What a script prints; it ends at the first command that fails."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"HOME": str(folder), "PIP_CONSTRAINT": str(ROOT / ".ci/constraints.txt")}
    if path:
        env["PATH"] = f"{path}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def quick_start(checkout):
    """What the quick start prints, run as one script."""
    return shell("\n".join(blocks("docs/quick-start.md", "sh")), checkout)


def test_the_quick_start(quick_start, checkout):
    assert "vanbench, version" in quick_start
    assert "REPRODUCED" in quick_start
    assert len(list((checkout / "results/demo").glob("*.json"))) == 2


def test_the_guide_for_an_own_model(quick_start, checkout, tmp_path):
    programs = checkout / ".venv/bin"
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    drawing.class_folders(tmp_path / "imagenet", drawing.pictures(2, imagenet_1k()[:20]))
    for language, content in all_blocks("docs/own-model.md"):
        text = with_digits(content, tmp_path).replace("/data/imagenet/val", "imagenet")
        if language == "python":
            (tmp_path / "make.py").write_text(text, encoding="utf-8")
            shell("python make.py", tmp_path, programs)
        elif language == "toml":
            (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        elif language == "sh":
            shell(text, tmp_path, programs)
    table = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "my_van.in1k" in table
    assert (tmp_path / "results/mine/my_van.in1k.json").is_file()
