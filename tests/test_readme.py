import pytest

from vanbench import readme
from vanbench.errors import MarkerError

DOCUMENT = f"# Title\n\n{readme.BEGIN}\nold\n{readme.END}\n\nAfter.\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT)
    return path


def test_only_the_block_changes_and_twice_is_once(path):
    assert readme.write(path, "| table |\n")
    once = path.read_text()
    assert once == f"# Title\n\n{readme.BEGIN}\n\n| table |\n\n{readme.END}\n\nAfter.\n"
    assert not readme.write(path, "| table |\n")
    assert path.read_text() == once


def test_difference_is_empty_only_when_current(path):
    assert "-old" in readme.difference(path, "new")
    assert "+new" in readme.difference(path, "new")
    readme.write(path, "new")
    assert readme.difference(path, "new") == ""


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        readme.BEGIN,
        readme.END + readme.BEGIN,
        readme.BEGIN * 2 + readme.END,
    ],
)
def test_without_both_markers_nothing_is_written(path, text):
    path.write_text(text)
    with pytest.raises(MarkerError, match="expected one line"):
        readme.write(path, "new")
    assert path.read_text() == text
