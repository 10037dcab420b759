"""What a validation found, as JSON and in words."""

from dataclasses import replace

import pytest

from tests.support.runs import AMONG5, PROTOCOL, RIGHT, TOTAL
from vanbench.errors import CheckpointError, DataError, MismatchError, MissingError, ScoringError
from vanbench.evaluation.result import not_measured_json
from vanbench.evaluation.validate import validate


@pytest.fixture(scope="module")
def result(models, data):
    from vanbench.evaluation.plan import RunOptions

    return validate(models, data, PROTOCOL, RunOptions(device="cpu", workers=0))


def test_a_model_that_was_measured(result):
    found = result.as_json("a")
    assert (found["status"], found["reason"]) == ("measured", None)
    assert (found["images"], found["correct1"], found["correct5"]) == (TOTAL, RIGHT, RIGHT + AMONG5)
    assert found["top1"] == 100 * RIGHT / TOTAL
    low, high = found["ci95"]
    assert low < found["top1"] < high
    assert found["partial"] is False


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MissingError("not there"), "missing"),
        (MismatchError("another file"), "mismatch"),
        (CheckpointError("no VAN"), "unreadable"),
        (ScoringError("another head"), "not measured"),
        (DataError("no images", where="data", remedy="Look."), "not measured"),
    ],
)
def test_a_model_that_failed_has_the_same_keys_without_figures(error, status, result):
    found = not_measured_json("m", error)
    assert list(found) == list(result.as_json("a"))
    assert (found.pop("name"), found.pop("status")) == ("m", status)
    assert found.pop("reason") == str(error)
    assert found.pop("error")["message"] == str(error)
    assert set(found.values()) == {None}


def test_the_words_say_what_was_used_and_where_the_time_went(result):
    assert f"{TOTAL} images, class folders, custom; EXIF orientation" in result.describe()
    assert "images/s on cpu, fp32, reference model: " in result.describe()
    part = replace(result, computed=10, data=replace(result.data, used=20, total=24))
    assert part.describe().startswith("20 of 24 images (partial)")
    assert "10 images were predicted before" in part.describe()
    stored = replace(result, computed=0)
    assert stored.images_per_s is None
    assert "Use --fresh to compute them again." in stored.describe()
