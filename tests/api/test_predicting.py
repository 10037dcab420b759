"""``vanbench.predictions``: the stored runs, the predictions of one, and two compared."""

import json

import pandas
import pytest

import vanbench
from tests.support.command_line import run
from vanbench.api.predicting import FLIPS, RUNS
from vanbench.errors import DataError, RecordError, UnknownRunError
from vanbench.prediction_store.export import COLUMNS


@pytest.fixture
def results(verified, folder):
    return folder / "results"


def read(outcome):
    return json.loads(outcome.stdout)


def test_the_runs_are_those_of_the_command(results):
    runs = vanbench.predictions(results=results)
    outcome = run("predictions", "--results", results, "--json")
    assert read(outcome) == json.loads(json.dumps(runs.to_json()))
    frame = runs.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == RUNS
    assert frame["model"].tolist() == ["van_nano.digits", "van_micro.digits"]
    assert frame["correct1"].tolist() == [345, 350]
    assert (100 * frame["correct1"] / frame["images"]).tolist() == frame["top1_percent"].tolist()
    assert "Stored predictions: 2 runs." in repr(runs)


@pytest.mark.parametrize("name", ["van_nano.digits", 1, "1"])
def test_the_predictions_of_a_run_are_what_the_command_exports(results, tmp_path, name):
    found = vanbench.predictions(name, results=results)
    run("predictions", name, "--results", results, "--write", tmp_path / "run.csv")
    frame = found.to_frame()
    assert list(frame.columns) == COLUMNS
    written = pandas.read_csv(tmp_path / "run.csv")
    pandas.testing.assert_frame_equal(written, frame, check_dtype=False)
    assert frame["correct1"].sum() == sum(row.correct1 for row in found.rows) == 345
    again = vanbench.predictions(tmp_path / "run.csv", results=results)
    assert again.rows == found.rows


def test_two_runs_are_compared_as_by_the_command(results):
    first, second = (
        vanbench.predictions(name, results=results)
        for name in ("van_nano.digits", "van_micro.digits")
    )
    found = first.compare(second)
    outcome = run(
        "compare", "van_nano.digits", "van_micro.digits", "--results", results, "--json", code=1
    )
    assert read(outcome) == json.loads(json.dumps(found.to_json()))
    assert (found.agreement.gained, found.agreement.lost) == (6, 1)
    frame = found.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FLIPS
    assert frame["effect"].value_counts().to_dict() == {"gained": 6, "lost": 1, "neither": 1}
    assert "345 → 350 right, 6 gained and 1 lost (McNemar's exact p = 0.125)" in repr(found)


def test_a_run_compared_with_itself_has_no_flips(results):
    first = vanbench.predictions(1, results=results)
    frame = first.compare(first).to_frame()
    assert len(frame) == 0
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FLIPS


def test_long_tables_are_shortened(results):
    text = repr(vanbench.predictions(1, results=results))
    assert "360 images, 345 right (95.83 %)" in text
    assert len(text.splitlines()) == 23
    assert text.endswith("20 of 360 rows; to_frame() has all of them.")


def test_errors(results, tmp_path):
    with pytest.raises(UnknownRunError, match=r"stored runs are: 1 \(van_nano.digits\), 2"):
        vanbench.predictions("van_b9", results=results)
    with pytest.raises(RecordError, match="expected stored predictions, found no file"):
        vanbench.predictions(results=tmp_path)
    with pytest.raises(DataError):
        vanbench.predictions(tmp_path / "absent.csv", results=results)
