"""``vanbench predictions``."""

import csv
import json

import pytest

from tests.support.arranged import arrange
from tests.support.command_line import run
from tests.support.models import randomized
from tests.support.runs import AMONG5, CLASSES, PROTOCOL, RIGHT, TOTAL, WRONG, store_run
from vanbench.prediction_store.export import COLUMNS
from vanbench.prediction_store.store import FILE, Store


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A store with runs of one model, with another LayerNorm eps, and of another file."""
    root = tmp_path_factory.mktemp("runs")
    model = randomized(seed=0)
    data = arrange(root / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, root / FILE)
    store_run(model, "aa" * 32, data, root / FILE, eps=1e-6)
    store_run(randomized(seed=1), "bb" * 32, data, root / FILE, PROTOCOL)
    return root


def test_stored_runs_are_listed_with_their_top1(results):
    runs = json.loads(run("predictions", "--results", results, "--json").stdout)["runs"]
    assert [(r["run"], r["name"], r["images"]) for r in runs] == [
        (number, "van_a", TOTAL) for number in (1, 2, 3)
    ]
    assert (runs[0]["counted"], runs[0]["correct1"], runs[0]["correct5"]) == (
        TOTAL,
        RIGHT,
        RIGHT + AMONG5,
    )
    assert runs[0]["top1"] == 100 * RIGHT / TOTAL


def test_the_list_shows_what_distinguishes_the_runs(results):
    lines = run("predictions", "--results", results).stdout.splitlines()
    first, second = (next(line for line in lines if line.split()[:1] == [n]) for n in "12")
    assert f"{100 * RIGHT / TOTAL:.3f}" in first
    assert "layer_norm_eps = 1e-05" in first
    assert "layer_norm_eps = 1e-06" in second


def test_the_list_says_how_many_and_ends_with_the_next_command(results):
    lines = run("predictions", "--results", results).stdout.splitlines()
    assert lines[0] == f"3 runs are stored in {results / FILE}."
    assert lines[-1] == f"Next: vanbench compare 2 3 --results {results}"


def test_a_single_run_can_be_exported_next(results, tmp_path):
    model = randomized(seed=0)
    data = arrange(tmp_path / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, tmp_path / FILE)
    lines = run("predictions", "--results", tmp_path).stdout.splitlines()
    assert lines[0] == f"1 run is stored in {tmp_path / FILE}."
    assert lines[-1] == f"Next: vanbench predictions 1 --write FILE.csv --results {tmp_path}"


def test_no_stored_run_names_the_command_that_makes_one(tmp_path):
    with Store(tmp_path / FILE):
        pass
    lines = run("predictions", "--results", tmp_path).stdout.splitlines()
    assert lines == [
        f"0 runs are stored in {tmp_path / FILE}.",
        f"Next: vanbench validate --all --data PATH --results {tmp_path}",
    ]


def test_an_export_has_the_counts_of_the_run(results, tmp_path):
    run("predictions", 1, "--write", tmp_path / "a.csv", "--results", results)
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TOTAL
    counts = tuple(sum(int(r[name]) for r in rows) for name in ("correct1", "correct5"))
    assert counts == (RIGHT, RIGHT + AMONG5)
    assert all(r["class"] == r["image"].split("/")[0] for r in rows)


def test_parquet_and_csv_hold_the_same(results, tmp_path):
    import pandas

    for suffix in ("csv", "parquet"):
        run("predictions", "van_a", "--write", tmp_path / f"a.{suffix}", "--results", results)
    from_parquet = pandas.read_parquet(tmp_path / "a.parquet")
    assert list(from_parquet.columns) == COLUMNS
    from_csv = pandas.read_csv(tmp_path / "a.csv")
    pandas.testing.assert_frame_equal(from_csv, from_parquet, check_dtype=False)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["1"], 2, "Give a RUN and --write FILE"),
        (["9", "--write", "x.csv"], 2, "The stored runs are: 1 (van_a), 2 (van_a), 3 (van_a)."),
        (["1", "--write", "x.xlsx"], 3, "x.xlsx: expected a file name that ends in .csv"),
    ],
)
def test_bad_requests(arguments, code, message, results):
    assert message in run("predictions", *arguments, "--results", results, code=code).stderr


def test_without_stored_predictions(tmp_path):
    outcome = run("predictions", "--results", tmp_path, code=3)
    assert "expected stored predictions, found no file" in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_with_json_prints_the_run_that_was_exported(results, tmp_path):
    arguments = ("predictions", 2, "--write", tmp_path / "a.csv", "--results", results, "--json")
    (exported,) = json.loads(run(*arguments).stdout)["runs"]
    listed = json.loads(run("predictions", "--results", results, "--json").stdout)["runs"]
    assert exported == listed[1]


def test_a_run_applied_to_a_part_says_how_many_its_top1_is_over(tmp_path):
    demo = ("validate", "van_nano", "--zoo", "demo", "--workers", 0, "--results", tmp_path)
    run(*demo, "--limit", 40)
    run(*demo, "--limit", 20)
    shown = run("predictions", "--results", tmp_path).stdout
    stored = json.loads(run("predictions", "--results", tmp_path, "--json").stdout)["runs"][0]
    assert f"{stored['counted']} of {stored['images']}" in shown
    assert stored["counted"] < stored["images"]
