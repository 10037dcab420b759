"""``vanbench compare``."""

import json
import shutil

import pytest

from tests.support.arranged import arrange
from tests.support.command_line import run
from tests.support.models import randomized
from tests.support.runs import AMONG5, CLASSES, PROTOCOL, RIGHT, TOTAL, WRONG, row, store_run
from vanbench.prediction_store.export import write
from vanbench.prediction_store.store import FILE


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A store with the runs of two files of one model."""
    root = tmp_path_factory.mktemp("runs")
    model = randomized(seed=0)
    data = arrange(root / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, root / FILE)
    store_run(randomized(seed=1), "bb" * 32, data, root / FILE, PROTOCOL)
    return root


def test_a_run_equals_its_own_export(results, tmp_path):
    run("predictions", 1, "--write", tmp_path / "a.csv", "--results", results)
    outcome = run("compare", tmp_path / "a.csv", 1, "--json", "--results", results)
    found = json.loads(outcome.stdout)["comparison"]
    assert (found["same_top1"], found["same_top5"], found["flips"]) == (TOTAL, TOTAL, [])
    assert found["largest_logit_difference"] == 0
    assert found["changed"] == {}
    assert found["conclusion"] == f"no image flipped: the same first choice for all {TOTAL} images"
    shown = run("compare", tmp_path / "a.csv", 1, "--results", results).stdout
    assert (
        shown.splitlines()[0] == f"No image flipped: the same first choice for all {TOTAL} images."
    )
    assert shown.splitlines()[-1].startswith("Next: vanbench predictions 1 --write FILE.csv")


def test_a_csv_file_alone_does_not_say_what_changed(results, tmp_path):
    run("predictions", 1, "--write", tmp_path / "a.csv", "--results", results)
    shutil.copy(tmp_path / "a.csv", tmp_path / "b.csv")
    outcome = run("compare", tmp_path / "b.csv", 1, "--results", results)
    assert f"what changed is not known: {tmp_path / 'b.csv'} does not say" in outcome.stdout


def test_what_changed_between_runs_is_named_with_its_flips(results):
    outcome = run("compare", 1, 2, "--json", "--results", results, code=1)
    found = json.loads(outcome.stdout)["comparison"]
    assert list(found["changed"]) == ["checkpoint"]
    assert len(found["flips"]) == TOTAL - found["same_top1"] > 0
    gained, lost = found["gained"], found["lost"]
    assert found["correct"][1] - found["correct"][0] == gained - lost
    shown = run("compare", 1, 2, "--results", results, "--flips", 2, code=1).stdout
    assert "checkpoint: aaaaaaaa → bbbbbbbb\n" in shown
    assert f"{len(found['flips'])} images flipped; the first 2" in shown
    assert f"gained, lost         {gained}, {lost} (McNemar's exact p = " in shown
    assert shown.splitlines()[0] == found["conclusion"].capitalize().replace("top", "Top") + "."
    assert found["conclusion"].startswith(
        f"{len(found['flips'])} of {TOTAL} images flipped; Top-1 "
    )
    more = f"Next: vanbench compare 1 2 --flips {len(found['flips'])} --results {results}"
    assert shown.splitlines()[-1] == more


def test_labels_that_differ_and_images_with_equal_bytes_are_said(results, tmp_path):
    same = "ab" * 32
    for name, wnid in (("a", "p"), ("b", "q")):
        rows = [row(f"{i}", wnid, "pq", (2.0, 1.0), same) for i in range(3)]
        write(tmp_path / f"{name}.csv", rows)
    files = (tmp_path / "a.csv", tmp_path / "b.csv")
    shown = run("compare", *files, "--results", results, code=1).stdout
    assert "labels differ        for 3 of 3 images: only predictions are compared" in shown
    assert "same bytes           2 images have those of another one" in shown
    assert shown.splitlines()[0] == "0 of 3 images flipped; for 3 the labels differ."
    assert "McNemar" not in shown
    assert "correct" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["1", "9"], 2, "The stored runs are: 1 (van_a), 2 (van_a)."),
        (["1", "none.csv"], 3, "none.csv: there is no such file"),
        (["none.parquet", "1"], 3, "none.parquet: there is no such file"),
    ],
)
def test_bad_requests(arguments, code, message, results):
    assert message in run("compare", *arguments, "--results", results, code=code).stderr
