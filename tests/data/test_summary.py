"""Findings: how they are counted and worded."""

from vanbench.data.summary import finding


def test_no_names_give_no_finding():
    assert finding("kind", [], "{n} files") == []


def test_a_finding_counts_and_shows_the_first_names():
    (found,) = finding("kind", (f"{i:04d}" for i in reversed(range(1200))), "{n} files")
    assert (found.kind, found.count, found.fault) == ("kind", 1200, True)
    assert str(found) == "1,200 files (0000, 0001, 0002, 0003, 0004, …)"


def test_all_names_are_shown_where_there_are_few():
    (found,) = finding("kind", {"b", "a"}, "{n} files", fault=False)
    assert (str(found), found.fault) == ("2 files (a, b)", False)
