"""JSON is refused with one short error, in bounded time, whatever it is."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.errors import RecordError
from vanbench.outside.json_text import bounded_json, parse_json, read_json


def parse(text, **options):
    return parse_json(text, where="x.json", error=RecordError, **options)


def problem(text, **options):
    with pytest.raises(RecordError) as caught:
        parse(text, **options)
    assert caught.value.where == "x.json"
    assert len(caught.value.problem) < 300
    return caught.value.problem


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_json_writes_is_read(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse(text) == value
    assert parse(text.encode()) == parse(b"\xef\xbb\xbf" + text.encode()) == value


def test_the_file_and_its_limit(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    assert read_json(path, most=8, error=RecordError) == {"a": 1}
    with pytest.raises(RecordError, match="expected at most 7 bytes, found 8") as caught:
        read_json(path, most=7, error=RecordError)
    assert caught.value.where == path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "Expecting value in line 1, column 1"),
        ('{"a": 1,\n}', "in line "),
        ("[" * 65, "nested more than 64 deep"),
        ("[" * 10**6, "nested more than 64 deep"),
        ('{"a":' * 10**5, "nested more than 64 deep"),
        ("1" * 301, "a number of more than 300 characters: '111"),
        ("[1e" + "9" * 5000 + "]", "a number of more than 300 characters: '1e9"),
        ("1e999", "the number '1e999' is too large"),
        ("[NaN]", "NaN is not a number of JSON"),
        ("-Infinity", "-Infinity is not a number of JSON"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice in one object"),
        (r'["\ud800"]', r"half a surrogate pair in '\ud800'"),
        (r'{"\udc00": 1}', r"half a surrogate pair in '\udc00'"),
        ('["a', "Unterminated string"),
        ('"a\nb"', "Invalid control character"),
        ("\ufeff\ufeff1", "in line 1, column 1"),
    ],
)  # fmt: skip
def test_what_is_refused(text, found):
    begin = time.perf_counter()
    assert problem(text).startswith("not a readable JSON document: ")
    assert found in problem(text)
    assert time.perf_counter() - begin < 2


def test_bytes_that_are_not_utf_8():
    assert problem(b'"\xe9"') == "expected UTF-8 text, found the byte 0xe9 in line 1"


def test_what_is_parsed_is_named_and_helped():
    with pytest.raises(RecordError, match=r"^x\.json: not a readable record: .*\. Do this\.$"):
        parse("{", what="record", remedy="Do this.")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 64 + "]" * 64, None),
        ('["' + "[" * 1000 + "1" * 1000 + r"\"[[" + '"]', ["[" * 1000 + "1" * 1000 + '"[[']),
        ("[" + "[]," * 1000 + "[]]", [[]] * 1001),
        ("9" * 300, int("9" * 300)),
        (r'"\ud83d\ude00"', "\U0001f600"),
    ],
)  # fmt: skip
def test_what_only_looks_deep_or_long(text, value):
    assert value is None or parse(text) == value
    float(parse("9" * 300))


def test_what_is_not_strict():
    found = parse('{"a": NaN, "b": 1e999, "c": 1, "c": 2}', strict=False)
    assert str(found["a"]) == "nan"
    assert found["b"] == float("inf")
    assert found["c"] == 2
    assert "nested" in problem("[" * 100, strict=False)


def test_a_key_that_comes_twice_at_the_end_of_many():
    text = "{" + "".join(f'"{i}": 1, ' for i in range(10**5)) + '"99999": 1}'
    begin = time.perf_counter()
    assert "the key '99999' twice" in problem(text)
    assert time.perf_counter() - begin < 2


def test_the_number_of_values():
    assert bounded_json('[1, {"a,,,,": ",,,,"}, 3]', values=3) == [1, {"a,,,,": ",,,,"}, 3]
    with pytest.raises(ValueError, match="expected at most 2 values, found 3"):
        bounded_json('[1, {"a,": ","}, 3]', values=2)
