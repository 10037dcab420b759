"""Tables at every width: no name and no number is split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from vanbench.cli.tables import Column, fit, shorten_middle, wrap_words

COLUMNS = [
    Column("model", fit="middle"),
    Column("file", drop=1, fit="middle"),
    Column(">params M"),
    Column(">of ceiling", drop=2),
    Column("what it says", fit="words"),
]
ROWS = [
    ["van_b0.in1k", "van-tiny_8xb128_in1k_20220501-385941af.pth", "4.106", "0.65", "a short note"],
    ["van_b6.in21k", "van-b6_3rdparty.pth", "199.83", "0.77", "no word of a long note is split"],
]


def printed(limit, columns=COLUMNS, rows=ROWS):
    table = fit(columns, [rows], limit)
    return table, ["".join(segment.text for segment in line).rstrip() for line in table.lines()]


def test_without_a_limit_each_row_is_one_line():
    table, lines = printed(None)
    assert (table.dropped, len(lines)) == ([], 5)
    assert lines[0].split() == ["model", "file", "params", "of", *["what", "it", "says"]]
    assert lines[1].split() == ["M", "ceiling"]
    assert lines[-1].split("  ")[-1] == ROWS[1][-1]
    assert lines[-2].split()[:4] == ["van_b0.in1k", ROWS[0][1], "4.106", "0.65"]


@pytest.mark.parametrize(
    ("limit", "dropped"),
    [(130, []), (110, []), (92, ["of ceiling"]), (60, ["file", "of ceiling"])],
)
def test_text_wraps_before_optional_columns_are_left_out(limit, dropped):
    table, lines = printed(limit)
    assert sorted(table.dropped) == sorted(dropped)
    assert max(map(cell_len, lines)) <= limit


def test_the_widest_optional_column_comes_back_when_another_one_makes_room():
    table, lines = printed(60)
    assert table.shown == [0, 2, 4]
    assert all(number in " ".join(lines).split() for number in ("4.106", "199.83"))


def test_a_long_name_is_shortened_in_its_middle_before_the_table_becomes_a_list():
    columns, rows = (
        [Column("file", fit="middle"), Column(">n")],
        [["a" * 20 + "-0123abcd.pth", "7"]],
    )
    _, lines = printed(24, columns, rows)
    assert lines[-1].split() == ["aaaaaaaaaa…23abcd.pth", "7"]


def test_a_table_that_cannot_fit_is_a_list():
    columns, rows = [Column("model"), Column(">top1")], [["van_b0.in1k", "75.41"], ["b", "1"]]
    _, lines = printed(14, columns, rows)
    assert lines == ["model  van_b0.in1k", "top1   75.41", "", "model  b", "top1   1"]


def test_groups_have_a_blank_line_between_them():
    table = fit([Column("a")], [[["1"]], [["2"]]], None)
    assert ["".join(s.text for s in line) for line in table.lines()] == ["a", "─", "1", "", "2"]


def test_a_table_without_rows_has_its_headings():
    _, lines = printed(80, [Column("model"), Column(">n")], [])
    assert lines[0] == "model  n"


def test_columns_of_wide_characters_are_aligned():
    _, lines = printed(None, [Column("name"), Column(">n")], [["图图", "1"], ["abcd", "2"]])
    assert cell_len(lines[-1]) == cell_len(lines[-2])


words = st.lists(st.text("abcdef0123456789.图", min_size=1, max_size=15), min_size=1, max_size=6)


@given(st.lists(words, min_size=1, max_size=5), st.integers(1, 120))
def test_no_word_is_lost_or_split_at_any_width(rows, limit):
    columns = [Column("name"), Column(">n"), Column("text", fit="words")]
    cells = [[row[0], row[-1], " ".join(row)] for row in rows]
    table, lines = printed(limit, columns, cells)
    expected = [word for row in cells for cell in row for word in cell.split()]
    found = [word for line in lines for word in line.split()]
    for word in expected:
        assert word in found
    if not table.excess:
        assert all(cell_len(line) <= limit for line in lines)


@given(st.text("ab 图", max_size=60), st.integers(1, 30))
def test_wrapped_lines_are_the_text(text, width):
    lines = wrap_words(text, width)
    assert " ".join(lines) == text
    assert all(cell_len(line) <= width or " " not in line for line in lines)


@given(st.text("abc图", max_size=60), st.integers(3, 30))
def test_a_shortened_name_fits_and_keeps_both_ends(name, width):
    short = shorten_middle(name, width)
    assert cell_len(short) <= width
    if short != name:
        begin, end = short.split("…")
        assert name.startswith(begin.rstrip())
        assert name.endswith(end)
