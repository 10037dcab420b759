"""UTF-8 text with or without a byte order mark; wrong bytes and long lines are named."""

import pytest

from vanbench.errors import DataError
from vanbench.outside.text import decode_utf8, lines_of, read_lines, read_text


def problem(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, error=DataError, **options)
    return caught.value.problem


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_left_out(tmp_path, mark):
    (tmp_path / "list.txt").write_bytes(mark + "ä 1\r\nb 2".encode())
    assert read_text(tmp_path / "list.txt", most=100, error=DataError) == "ä 1\r\nb 2"
    assert read_lines(tmp_path / "list.txt", most=100, error=DataError) == ["ä 1", "b 2"]


def test_the_first_byte_that_is_not_utf_8():
    found = problem(decode_utf8, b"a\nb\n\xe9t\xe9", where="x")
    assert found == "expected UTF-8 text, found the byte 0xe9 in line 3"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16(encoding):
    data = "\ufeffabc".encode(encoding)
    with pytest.raises(DataError, match=r"found UTF-16\. Convert it to UTF-8\.$"):
        decode_utf8(data, where=None, error=DataError)


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("\n", [""]), ("a", ["a"]), ("a\n\nb\r\n", ["a", "", "b"]), ("a\x0cb\u2028c", ["a\x0cb\u2028c"])],
)  # fmt: skip
def test_lines(text, lines):
    assert lines_of(text, where=None, error=DataError) == lines


def test_a_long_line_and_a_binary_one():
    assert problem(lines_of, "a\n" + "b" * 11, where="x", longest=10) == (
        "line 2: expected at most 10 characters and no NUL, found 11: 'bbbbbbbbbbb'"
    )
    assert "line 1: expected at most 4,096" in problem(lines_of, "a\0b", where="x")
