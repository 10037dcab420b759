import pytest

from tests.support.special_files import named_pipe
from vanbench.errors import MarkerError
from vanbench.report import markers

DOCUMENT = f"# Title\n\n{markers.BEGIN}\nold\n{markers.END}\n\nAfter.\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT)
    return path


def test_only_the_block_changes_and_twice_is_once(path):
    assert markers.write(path, "| table |\n")
    once = path.read_text()
    assert once == f"# Title\n\n{markers.BEGIN}\n\n| table |\n\n{markers.END}\n\nAfter.\n"
    assert not markers.write(path, "| table |\n")
    assert path.read_text() == once


def test_difference_is_empty_only_when_current(path):
    assert "-old" in markers.difference(path, "new")
    assert "+new" in markers.difference(path, "new")
    markers.write(path, "new")
    assert markers.difference(path, "new") == ""


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        markers.BEGIN,
        markers.END + markers.BEGIN,
        markers.BEGIN * 2 + markers.END,
    ],
)
def test_without_both_markers_nothing_is_written(path, text):
    path.write_text(text)
    with pytest.raises(MarkerError, match="expected one line"):
        markers.write(path, "new")
    assert path.read_text() == text


def test_the_message_names_the_file_and_what_to_do(path):
    path.write_text("nothing")
    with pytest.raises(MarkerError) as caught:
        markers.difference(path, "new")
    assert caught.value.where == path
    assert str(caught.value).startswith(f"{path}: expected one line")
    assert str(caught.value).endswith("Put both where the block belongs.")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\n\xff", "expected UTF-8 text, found the byte 0xff in line 2"),
        (b"\xff\xfea\0", "expected UTF-8 text, found UTF-16"),
        (b"a" * (markers.MOST + 1), "expected at most 5,000,000 bytes, found 5,000,001"),
    ],
)
def test_a_file_that_is_no_text_or_huge_is_named(path, content, problem):
    path.write_bytes(content)
    with pytest.raises(MarkerError) as caught:
        markers.write(path, "new")
    assert (caught.value.problem, caught.value.where) == (problem, path)


def test_what_is_no_file_is_not_opened(path):
    path.unlink()
    named_pipe(path)
    with pytest.raises(MarkerError, match=r"expected a file, found a named pipe \(FIFO\)"):
        markers.difference(path, "new")


@pytest.mark.parametrize("marker", markers.MARKERS)
def test_a_block_with_a_marker_is_not_written(path, marker):
    with pytest.raises(MarkerError, match="the new block holds one of the markers itself"):
        markers.write(path, f"| {marker} |")
    assert path.read_text() == DOCUMENT


def test_the_line_ends_of_the_document_stay(path):
    """And all but the block is left byte for byte, also where line ends are mixed."""
    crlf = DOCUMENT.replace("\n", "\r\n").encode() + b"mixed\n"
    path.write_bytes(crlf)
    assert markers.write(path, "| a |\n| b |\n")
    begin, end = markers.BEGIN.encode(), markers.END.encode()
    before, after = crlf.split(begin)[0], crlf.split(end)[1]
    block = b"\r\n\r\n| a |\r\n| b |\r\n\r\n"
    assert path.read_bytes() == before + begin + block + end + after
    assert not markers.write(path, "| a |\n| b |\n")
    assert markers.difference(path, "| a |\n| b |\n") == ""


def test_a_byte_order_mark_stays(path):
    path.write_bytes(b"\xef\xbb\xbf" + DOCUMENT.encode())
    markers.write(path, "new")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf# Title\n")


def test_a_symbolic_link_stays_a_link(path):
    link = path.parent / "link.md"
    link.symlink_to(path.name)
    assert markers.write(link, "new")
    assert link.is_symlink()
    assert "new" in path.read_text()


COSTS = f"{markers.COSTS_BEGIN}\n{markers.COSTS_END}\n"


@pytest.mark.parametrize("text", [DOCUMENT + COSTS, COSTS + DOCUMENT])
def test_both_blocks_are_written_wherever_they_are(path, text):
    path.write_text(text)
    assert markers.has_costs(path)
    assert markers.write(path, "table", "- disk\n- time\n")
    costs = f"{markers.COSTS_BEGIN}\n\n- disk\n- time\n\n{markers.COSTS_END}\n"
    results = DOCUMENT.replace("\nold\n", "\n\ntable\n\n")
    assert path.read_text() == text.replace(DOCUMENT, results).replace(COSTS, costs)
    assert markers.difference(path, "table", "- disk\n- time") == ""
    assert "-- time" in markers.difference(path, "table", "- disk")


def test_without_anything_to_say_the_markers_stay(path):
    path.write_text(DOCUMENT + COSTS)
    markers.write(path, "table", "")
    assert path.read_text().endswith(f"{markers.COSTS_BEGIN}\n\n{markers.COSTS_END}\n")
    assert markers.difference(path, "table", "") == ""


def test_costs_that_are_not_given_stay(path):
    assert not markers.has_costs(path)
    path.write_text(DOCUMENT + COSTS)
    markers.write(path, "table")
    assert path.read_text().endswith(COSTS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DOCUMENT + markers.COSTS_BEGIN, "expected one line <!-- vanbench:costs:begin"),
        (DOCUMENT + markers.COSTS_END, "expected one line <!-- vanbench:costs:begin"),
        (DOCUMENT + 2 * COSTS, "found 2 and 2"),
        (DOCUMENT.replace("old", COSTS), "overlap"),
        (COSTS.replace("\n", f"\n{DOCUMENT}", 1), "overlap"),
    ],
)
def test_misplaced_markers_of_the_costs_are_an_error(path, text, problem):
    path.write_text(text)
    assert markers.has_costs(path)
    with pytest.raises(MarkerError, match=problem):
        markers.write(path, "table", "costs")
    assert path.read_text() == text
