"""Dataclasses to JSON and back: nothing is converted, nothing unknown is accepted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from vanbench.typed_json import UnknownKeyError, from_json, to_json


@dataclass(frozen=True)
class Point:
    x: int
    y: float | None = None


@dataclass(frozen=True)
class Shape:
    name: str
    points: tuple[Point, ...]
    weights: Mapping[str, float]


SHAPE = Shape("line", (Point(1), Point(2, 0.5)), {"a": 1.0})
DOCUMENT = {
    "name": "line",
    "points": [{"x": 1, "y": None}, {"x": 2, "y": 0.5}],
    "weights": {"a": 1.0},
}


def test_fields_keep_their_order_and_tuples_become_lists():
    document = to_json(SHAPE)
    assert document == DOCUMENT
    assert list(document) == ["name", "points", "weights"]
    assert from_json(Shape, json.dumps(document)) == SHAPE


def test_a_default_fills_a_key_that_is_missing():
    assert from_json(Point, '{"x": 3}') == Point(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "key 'name': Input should be a valid string, found 1"),
        ({"points": [{"x": "1"}]}, "key 'points.0.x'"),
        ({"points": [{"x": True}]}, "key 'points.0.x'"),
        ({"points": [{"x": 1.5}]}, "key 'points.0.x'"),
        ({"points": [{}]}, "missing key 'points.0.x'"),
        ({"weights": []}, "key 'weights'"),
    ],
)
def test_the_key_that_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match="key") as caught:
        from_json(Shape, json.dumps(DOCUMENT | change))
    assert str(caught.value).startswith(message)
    assert not isinstance(caught.value, UnknownKeyError)


def test_a_missing_key():
    with pytest.raises(ValueError, match="missing key 'points'"):
        from_json(Shape, '{"name": "a", "weights": {}}')


@pytest.mark.parametrize(
    ("change", "place"),
    [({"other": 1}, "other"), ({"points": [{"x": 1}, {"x": 1, "z": 2}]}, "points.z")],
)
def test_an_unknown_key_is_an_error_of_its_own(change, place):
    with pytest.raises(UnknownKeyError, match=f"unknown key '{place}'"):
        from_json(Shape, json.dumps(DOCUMENT | change))


def test_what_is_no_json_and_what_is_long():
    with pytest.raises(ValueError, match="key 'document': Invalid JSON"):
        from_json(Point, "{")
    with pytest.raises(ValueError, match="…") as caught:
        from_json(Shape, json.dumps(DOCUMENT | {"name": list(range(100))}))
    assert len(str(caught.value)) < 200
