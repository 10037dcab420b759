import pytest

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
