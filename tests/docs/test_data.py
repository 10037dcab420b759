"""What docs/data.md says to type gives what it says."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import drawing
from vanbench.cli.group import COMMANDS
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.prediction_store.export import COLUMNS
from vanbench.zoo.class_ids import imagenet_1k

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
RECIPES = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) if "sha256sum" in block]


@pytest.mark.parametrize(
    ("recipe", "place", "lay_out"),
    [(RECIPES[0], "val", drawing.class_folders), (RECIPES[1], "", drawing.kaggle)],
)
def test_the_fingerprint_can_be_had_with_shell_tools(recipe, place, lay_out, tmp_path):
    root = lay_out(tmp_path / place, drawing.pictures(per_class=2, classes=imagenet_1k()[:30]))
    script = recipe.replace("/data/imagenet", str(tmp_path))
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    report = inspect(open_images(root, imagenet_1k()))
    assert done.stdout.split()[0] == report.fingerprint
    assert report.images == 60


def test_the_columns_are_those_of_the_export():
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", TEXT, re.M) for name in row.split("`")[1::2]
    }
    written = {name for name in COLUMNS if name[-1] not in "234"}
    assert written <= named


def test_every_command_in_it_exists():
    assert set(re.findall(r"^vanbench (\S+)", TEXT, re.M)) <= COMMANDS.keys()
