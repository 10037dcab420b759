"""``vanbench import``."""

import hashlib
import json

import pytest

from tests.support.command_line import run

CONTENT = b"weights" * 100
FILENAME = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
ZOO = f"""
schema = 1
name = "mine"
title = "Mine"
source = "here"
[models."a.x"]
architecture = "van_b0"
url = "https://weights.invalid/{FILENAME}"
"""


@pytest.fixture
def folder(tmp_path):
    """The file under another name, and another file."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "some name.bin").write_bytes(CONTENT)
    (tmp_path / "own" / "other").write_bytes(b"something else")
    return tmp_path / "own"


def test_each_model_has_a_line(folder, tmp_path):
    (tmp_path / "zoo.toml").write_text(ZOO, encoding="utf-8")
    common = ["--zoo", tmp_path / "zoo.toml", "--cache", tmp_path / "cache"]
    done = run("import", folder, *common)
    target = tmp_path / "cache" / FILENAME
    assert done.stdout == f"a.x  linked  {target}  (from {folder / 'some name.bin'})\n"

    done = run("import", folder, "a", "--json", *common)
    assert json.loads(done.stdout)["models"] == [
        {"name": "a.x", "status": "present", "path": str(target), "source": None}
    ]


def test_a_folder_without_a_checkpoint_of_the_zoo(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("import", tmp_path / "empty", "--cache", tmp_path / "cache", code=3)
    assert "no matching checkpoint found" in done.stderr
