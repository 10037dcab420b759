"""Dataclasses to JSON and back: nothing is converted, nothing unknown is accepted."""

import json
import re
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


def test_what_is_no_json():
    with pytest.raises(ValueError, match=r"^Expecting property name .* in line 1, column 2$"):
        from_json(Point, "{")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"x": ' + "[" * 10**5, "nested more than 64 deep"),
        ('{"x": ' + "1" * 10**5 + "}", "a number of more than 300 characters"),
        ('{"x": 1, "x": 2}', "the key 'x' twice in one object"),
        ('{"x": 1, "y": NaN}', "NaN is not a number of JSON"),
        ('{"x": 1, "y": 1e999}', "the number '1e999' is too large"),
        ('{"x": 1, "' + "z" * 10**5 + '": 1}', "unknown key 'zzz"),
        ('{"x": "' + "z" * 10**5 + '"}', "key 'x': Input should be a valid integer, found 'zzz"),
        ('{"x": {"\\u001b[2J": [' + "1, " * 1000 + "1]}}", r"found {'\x1b[2J': [1, 1, "),
        ("[" + "1, " * 10**5 + "1]", "expected at most 100,000 values, found 100,001"),
        (r"\ud800", "Expecting value"),
        (b"\xff", "utf-8"),
    ],
)
def test_what_is_deep_long_or_strange(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        from_json(Point, text)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


def test_commas_in_texts_are_no_values():
    text = json.dumps(DOCUMENT | {"name": "," * 10**6})
    assert from_json(Shape, text).name == "," * 10**6
    assert from_json(Shape, b"\xef\xbb\xbf" + text.encode()).name == "," * 10**6
