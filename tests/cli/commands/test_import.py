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


def test_what_was_recognised_and_where_it_is(folder, tmp_path):
    (tmp_path / "zoo.toml").write_text(ZOO, encoding="utf-8")
    common = ["--zoo", tmp_path / "zoo.toml", "--cache", tmp_path / "cache"]
    lines = run("import", folder, *common).stdout.splitlines()
    assert f"a.x    linked  {folder / 'some name.bin'}" in lines
    assert lines[-3] == f"Folder: {tmp_path / 'cache'}"
    assert lines[-2] == "1 of 1 file in the cache: 1 linked."
    assert lines[-1].startswith("Next: vanbench verify --all --zoo ")

    done = run("import", folder, "a", "--json", *common)
    assert json.loads(done.stdout)["models"] == [
        {"name": "a.x", "status": "present", "path": str(tmp_path / "cache" / FILENAME),
         "source": None, "reason": None, "error": None}
    ]  # fmt: skip


def test_why_a_file_was_not_recognised(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / FILENAME).write_bytes(b"another file of that name")
    (tmp_path / "zoo.toml").write_text(ZOO, encoding="utf-8")
    common = ["--zoo", tmp_path / "zoo.toml", "--cache", tmp_path / "cache"]
    text = run("import", tmp_path / "own", *common, code=3).stdout
    digits = hashlib.sha256(b"another file of that name").hexdigest()[:8]
    assert f"a.x: {FILENAME} is another file: its hash begins with {digits}." in text
    assert "0 of 1 file in the cache: 1 missing." in text
    done = run("import", tmp_path / "own", "--json", *common, code=3)
    (model,) = json.loads(done.stdout)["models"]
    assert model["reason"] == model["error"]["problem"]
    assert model["error"]["where"] == str(tmp_path / "own")


def test_models_that_miss_for_one_reason_share_a_line(tmp_path):
    (tmp_path / "own").mkdir()
    text = run("import", tmp_path / "own", "--zoo", "demo", "--cache", tmp_path, code=3).stdout
    assert "van_nano.digits, van_micro.digits: no file has the published hash." in text


def test_a_folder_without_a_checkpoint_of_the_zoo(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("import", tmp_path / "empty", "--cache", tmp_path / "cache", code=3)
    assert "no matching checkpoint found" in done.stderr
