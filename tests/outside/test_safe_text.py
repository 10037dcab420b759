"""Text from outside has no effect where it is shown, and is short."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.outside.safe_text import for_markdown, for_terminal, is_plain, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("van_b0.in1k", "van_b0.in1k"),
        ("Größe – 4×4 ✓ 数", "Größe – 4×4 ✓ 数"),
        ("50\u202f000\xa0M\u3000", "50\u202f000\xa0M\u3000"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b31m", r"\x9b31m"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("\u2066a\u2069\u200f\u200b\ufeff", r"\u2066a\u2069\u200f\u200b\ufeff"),
        ("a\u2028b", r"a\u2028b"),
        ("\udce9t\udce9", r"\xe9t\xe9"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_for_a_terminal(text, shown):
    assert for_terminal(text) == shown


def test_lines_are_kept_where_asked_for():
    assert for_terminal("a\n\tb\r\x1bc", multiline=True) == "a\n\tb\\r\\x1bc"


def test_long_text_is_cut():
    assert for_terminal("a" * 10, most=10) == "a" * 10
    assert for_terminal("a" * 11, most=10) == "a" * 9 + "…"
    assert len(for_terminal("a" * 10**6)) == 2000


@pytest.mark.parametrize("text", ["a\n", "a\t", "\x1b", "\x00", "\u200b", "\u2028", "\udce9"])
def test_what_is_not_plain(text):
    assert not is_plain(text)
    assert is_plain("ä 数\xa0")


@given(st.text(), st.booleans())
def test_what_is_shown_is_printable_and_safe_to_encode(text, multiline):
    shown = for_terminal(text, multiline=multiline)
    assert is_plain("".join(shown.split("\n")).replace("\t", "") if multiline else shown)
    assert for_terminal(shown, multiline=multiline, most=10**6) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("van_b0.in1k", "van_b0.in1k"),
        ("HTTP 503: try 2 times - or 3 (later)", "HTTP 503: try 2 times - or 3 (later)"),
        ("![x](http://h/p.png)", r"!\[x\](http://h/p.png)"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("<!-- vanbench:results:end -->", "&lt;!-- vanbench:results:end --&gt;"),
        ("a | b", r"a \| b"),
        ("*a* _b_ `c` ~d~ \\ $x$", r"\*a\* \_b\_ \`c\` \~d\~ \\ \$x\$"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("a\n\n# b", "a # b"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("12) item", r"12\) item"),
        ("1.5 G", r"1\.5 G"),
        ("\x1b[2J", r"\\x1b\[2J"),
        ("", ""),
    ],
)
def test_for_markdown(text, shown):
    assert for_markdown(text) == shown


@given(st.text(alphabet="<>!-|`[]()# \n\\ab_*&", max_size=50))
def test_no_markup_is_left(text):
    shown = for_markdown(text)
    assert "\n" not in shown
    assert not {"<", ">"} & set(shown)
    for special in "|`[]*":
        for i, character in enumerate(shown):
            if character == special:
                backslashes = len(shown[:i]) - len(shown[:i].rstrip("\\"))
                assert backslashes % 2 == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        ("a\x1b", r"'a\x1b'"),
        ("a\u202e", r"'a\u202e'"),
        (10**20, "1" + 20 * "0"),
        (10**5000, "<a whole number of 5,001 digits>"),
        (-(2**20000), "<a whole number of 6,021 digits>"),
        ([1] * 10, "[1, 1, 1, 1, 1, 1, …]"),
        ({str(i): i for i in range(6)}, "{'0': 0, '1': 1, '2': 2, '3': 3, …}"),
        (set(range(10)), "<a set of 10>"),
        (b"ab", "b'ab'"),
    ],
    ids=range(12),  # the value itself may be too long for an id
)
def test_shorten(value, shown):
    assert shorten(value) == shown


def test_an_incredible_value_is_shortened_at_once():
    deep: list = []
    for _ in range(10**5):
        deep = [deep, "x" * 1000]
    begin = time.perf_counter()
    for value in ("x" * 10**7, b"x" * 10**7, [10**5000] * 10**5, deep, 10**10**5,
                  {i: i for i in range(10**5)}, {"a": {"b": ["x" * 10**6] * 10**5}}):  # fmt: skip
        assert len(shorten(value)) <= 100
        assert len(shorten(value, 20)) <= 20
    assert time.perf_counter() - begin < 1
