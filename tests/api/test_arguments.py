"""Arguments of the API, right and wrong."""

from pathlib import Path

import pytest

import vanbench
from vanbench.api import arguments
from vanbench.errors import DataError, DeviceError, UnknownModelError, ZooError
from vanbench.zoo.reader import load_zoo

ZOO = load_zoo("openmmlab")


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ("van_b0", ["van_b0.in1k"]),
        ("VAN-B6", ["van_b6.in21k"]),
        (["van_b4.in21k", "van_b0", "van-b0"], ["van_b4.in21k", "van_b0.in1k"]),
        (("van_b4.*",), ["van_b4.in1k", "van_b4.in21k"]),
        ((name for name in ["van_b1"]), ["van_b1.in1k"]),
        ("all", [entry.name for entry in ZOO.entries]),
        (["all"], [entry.name for entry in ZOO.entries]),
    ],
)
def test_models(models, names):
    assert [entry.name for entry in arguments.selected(ZOO, models)] == names


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ("van_b9", UnknownModelError, "no model 'van_b9'"),
        ([], ValueError, 'at least one model, or "all"'),
        ([7], TypeError, "expected the names of models, found 7"),
    ],
)
def test_models_that_are_none(models, error, message):
    with pytest.raises(error, match=message):
        arguments.selected(ZOO, models)


def test_one_mirror_is_no_sequence_of_characters():
    assert arguments.sources("c", "https://m", True).mirrors == ("https://m",)
    assert arguments.sources("c", ["a", "b"], True).mirrors == ("a", "b")
    assert arguments.sources(Path("c"), (), False).cache == Path("c")


@pytest.mark.parametrize("function", [vanbench.verify, vanbench.validate])
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"zoo": "openmmlabs"}, ZooError, "openmmlabs"),
        ({"data": "nowhere"}, DataError, "nowhere: there is no such file or folder"),
        ({"device": "gpu7"}, DeviceError, "gpu7"),
        ({"batch_size": 0}, ValueError, "batch_size: expected a number from 1, found 0"),
        ({"workers": -1}, ValueError, "workers: expected a number from 0, found -1"),
        ({"limit": 0}, ValueError, "limit: expected a number from 1, found 0"),
        ({"on_error": "skip"}, ValueError, "on_error: expected one of 'stop', 'count-wrong'"),
        ({"weights": "best"}, ValueError, "weights: expected one of None, 'plain', 'ema'"),
    ],
)
def test_a_wrong_argument_is_raised_before_anything_is_done(
    tmp_path, function, wrong, error, message
):
    given = {"zoo": "demo", "results": tmp_path / "r", "cache": tmp_path / "c", **wrong}
    with pytest.raises(error, match=message):
        function("van_nano", **given)
    assert list(tmp_path.iterdir()) == []


def test_data_beside_the_zoo_is_the_default():
    assert arguments.data_set(load_zoo("demo"), None).name == "images"
    assert arguments.data_set(ZOO, None) is None
