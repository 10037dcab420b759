"""The shell commands of docs/data.md give what they should."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import drawing
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.zoo.class_ids import imagenet_1k

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
RECIPES = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) if "sha256sum" in block]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs the tools of Linux")
@pytest.mark.parametrize(
    ("recipe", "place", "lay_out"),
    [(RECIPES[0], "val", drawing.class_folders), (RECIPES[1], "", drawing.kaggle)],
)
def test_shell_tools_give_the_fingerprint(recipe, place, lay_out, tmp_path):
    root = lay_out(tmp_path / place, drawing.pictures(per_class=2, classes=imagenet_1k()[:30]))
    script = recipe.replace("/data/imagenet", str(tmp_path))
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    report = inspect(open_images(root, imagenet_1k()))
    assert done.stdout.split()[0] == report.fingerprint
    assert report.images == 60
