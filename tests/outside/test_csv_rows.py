"""CSV rows have the header's columns; what does not is named with its line."""

import pytest

from vanbench.errors import DataError
from vanbench.outside.csv_rows import csv_rows


def rows(text, columns=("a", "b"), **options):
    lines = text.splitlines(keepends=True)
    return list(csv_rows(lines, columns=columns, where="x.csv", error=DataError, **options))


def problem(text, **options):
    with pytest.raises(DataError) as caught:
        rows(text, **options)
    assert caught.value.where == "x.csv"
    assert len(caught.value.problem) < 300
    return caught.value.problem


def test_rows_with_their_lines():
    text = 'a,b,c\r\n1,2,3\r\n\r\n"x\r\ny","p""q",\r\n'
    assert rows(text) == [
        (2, {"a": "1", "b": "2", "c": "3"}),
        (5, {"a": "x\r\ny", "b": 'p"q', "c": ""}),
    ]


def test_a_header_alone():
    assert rows("b,a\n") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "line 1: expected the columns a, b, found nothing"),
        ("a,c\n", "line 1: expected the columns a, b, each once, found ['a', 'c']"),
        ("a,b,a\n", "line 1: expected the columns a, b, each once, found ['a', 'b', 'a']"),
        ("a,b\n1,2\n1\n", "line 3: expected 2 fields, found 1"),
        ("a,b\n1,2,3\n", "line 2: expected 2 fields, found 3"),
        ("a,b\n1," + "x" * 11, "line 2: expected fields of at most 10 characters and no NUL, found 11: 'xxxxxxxxxxx'"),
        ("a,b\n1,x\0", r"line 2: expected fields of at most 10 characters and no NUL, found 2: 'x\x00'"),
    ],
)  # fmt: skip
def test_what_is_refused(text, found):
    assert problem(text, longest=10) == found


def test_fields_beyond_the_limit_of_the_csv_module():
    assert problem("a,b\n1," + "x" * 200_000) == "line 2: field larger than field limit (131072)"
    assert "field larger than field limit" in problem('a,b\n1,"' + "x\n" * 200_000)
