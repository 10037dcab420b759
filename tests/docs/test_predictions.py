"""What docs/predictions.md says exists, and what it shows runs."""

import re

import pandas
import pytest

from tests.support.arranged import arrange
from tests.support.command_line import ROOT, run
from tests.support.models import randomized
from tests.support.runs import AMONG5, CLASSES, RIGHT, TOTAL, WRONG, store_run
from vanbench.cli.group import COMMANDS
from vanbench.prediction_store.export import COLUMNS
from vanbench.prediction_store.store import FILE

TEXT = (ROOT / "docs" / "predictions.md").read_text(encoding="utf-8")


def test_the_columns_are_those_of_the_export():
    table = TEXT.split("| column | content |")[1].split("\n\n")[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in row.split("`")[1::2]
    }
    assert named == {name for name in COLUMNS if name[-1] not in "234"}


def test_every_command_in_it_exists():
    assert set(re.findall(r"^vanbench (\S+)", TEXT, re.M)) <= COMMANDS.keys()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a stored run of van_b0.in1k and its exports."""
    model = randomized(seed=0)
    data = arrange(tmp_path / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, tmp_path / "results" / FILE, name="van_b0.in1k")
    monkeypatch.chdir(tmp_path)
    for suffix in ("csv", "parquet"):
        run("predictions", 1, "--write", f"run3.{suffix}")
    return tmp_path


def test_the_python_code_in_it_runs(folder):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    assert len(blocks) == 2
    for block in blocks:
        names = {}
        exec(block, names)
        assert isinstance(names["frame"], pandas.DataFrame)
        assert names["frame"]["correct1"].sum() == RIGHT
        assert len(names["frame"]) == TOTAL


def test_the_files_have_what_it_says(folder):
    assert (folder / "run3.csv.json").is_file()
    described = pandas.read_parquet("run3.parquet").attrs["vanbench"]
    assert {"model", "checkpoint", "protocol", "numerics", "fingerprint"} <= described.keys()
