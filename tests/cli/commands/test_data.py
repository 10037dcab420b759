"""``vanbench data``: the report as text and JSON, and its exit codes."""

import json

import pytest
from click.testing import CliRunner

from tests.support import drawing
from vanbench.cli.group import main
from vanbench.zoo.class_ids import imagenet_1k


@pytest.fixture
def few():
    return drawing.pictures(per_class=3, classes=imagenet_1k()[:4])


@pytest.fixture
def folders(few, tmp_path):
    return drawing.class_folders(tmp_path / "val", few)


def run(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def test_the_command_prints_the_report(folders):
    result = run(folders)
    assert result.exit_code == 0
    assert "layout       class folders\nimages       12\nclasses      4 of 1,000\n" in result.stdout
    assert "verdict      subset\n" in result.stdout
    assert "note         996 of 1,000 classes have no images (" in result.stdout


def test_the_command_says_altered_with_its_exit_code(folders, few):
    (folders / few[0].wnid / few[0].name).write_bytes(b"")
    result = run(folders, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)["data"]
    assert document["verdict"] == "altered"
    assert document["problems"][0]["examples"] == [f"{few[0].wnid}/{few[0].name}"]


def test_the_command_complains_in_one_line(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "found an empty folder" in result.stderr
    assert run(tmp_path / "nowhere").exit_code == 3
