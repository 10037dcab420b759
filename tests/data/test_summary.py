"""Findings: how they are counted and worded."""

from vanbench.data.inspect import FILE_FAULTS
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


def test_a_fault_of_one_file_is_in_the_singular():
    found = {
        n: [finding(k, "ab"[:n], t)[0].message for k, t in FILE_FAULTS.items()] for n in (1, 2)
    }
    assert found[1] == [
        "1 file is empty (zero bytes)",
        "1 file cannot be read",
        "1 JPEG file has lost a part of the data, which decoders fill in",
        "1 file is not a complete image of a usable size",
    ]
    assert found[2] == [
        "2 files are empty (zero bytes)",
        "2 files cannot be read",
        "2 JPEG files have lost a part of the data, which decoders fill in",
        "2 files are not complete images of a usable size",
    ]
