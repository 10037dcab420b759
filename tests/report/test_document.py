"""The generated blocks of a document and its figures."""

import pytest

from tests.support.report_rows import counted_rows
from vanbench.errors import MarkerError
from vanbench.report.document import ACCURACIES, COUNTS, content, difference, update
from vanbench.report.markers import (
    BEGIN,
    CLAIMS_BEGIN,
    CLAIMS_END,
    COSTS_BEGIN,
    COSTS_END,
    END,
)
from vanbench.zoo.reader import load_zoo

MEASURED = {"van_b0.in1k": (37705, 46500)}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "docs" / "README.md"
    path.parent.mkdir()
    path.write_text(f"{BEGIN}\n{END}\n")
    return path


def written(rows, results, document):
    """The text of the document and the names of the figures, after an update."""
    wanted = content("zoo", rows, results, document)
    assert difference(document, wanted)
    assert update(document, wanted)
    assert difference(document, wanted) == ""
    assert not update(document, wanted)
    return document.read_text(), sorted(path.name for path in (results / "zoo").iterdir())


def test_the_accuracies_are_drawn_once_one_was_measured(document, tmp_path):
    results = tmp_path / "my results"
    text, figures = written(counted_rows(), results, document)
    assert figures == ["counts.svg"]
    assert f"![{COUNTS}](../my%20results/zoo/counts.svg)" in text
    assert "accuracy.svg" not in text
    text, figures = written(counted_rows(MEASURED), results, document)
    assert figures == ["accuracy.svg", "counts.svg"]
    assert f"![{ACCURACIES}](../my%20results/zoo/accuracy.svg)" in text
    assert text.index("counts.svg") < text.index("accuracy.svg") < text.index("<details>")


@pytest.mark.parametrize("name", ["accuracy.svg", "counts.svg"])
@pytest.mark.parametrize("spoil", ["missing", "other"])
def test_a_figure_that_is_not_the_records_is_reported(name, spoil, document, tmp_path):
    wanted = content("zoo", counted_rows(MEASURED), tmp_path, document)
    update(document, wanted)
    path = tmp_path / "zoo" / name
    path.unlink() if spoil == "missing" else path.write_text(path.read_text() + " ")
    assert difference(document, wanted) == f"{path}: the figure is out of date."
    assert update(document, wanted)
    assert path.read_text() == wanted.figures[path]


def test_the_costs_are_written_where_the_document_has_their_markers(document, tmp_path):
    assert content("zoo", counted_rows(), tmp_path, document).costs is None
    assert content("zoo", counted_rows(), tmp_path).costs is None
    document.write_text(f"{COSTS_BEGIN}\n{COSTS_END}\n{BEGIN}\n{END}\n")
    text, _ = written(counted_rows(), tmp_path, document)
    assert text.startswith(f"{COSTS_BEGIN}\n\n- Download: 8 checkpoint files of ")


def test_a_document_with_markers_of_the_claims_gets_the_tally(tmp_path):
    path = tmp_path / "README.md"
    both = f"{BEGIN}\n{END}\n\n{CLAIMS_BEGIN}\n{CLAIMS_END}\n"
    path.write_text(both, encoding="utf-8")
    wanted = content("openmmlab", counted_rows(), tmp_path, path)
    assert update(path, wanted)
    text = path.read_text(encoding="utf-8")
    assert f"published numbers in {len(load_zoo('all').parts)} zoos: " in text
    assert "| PaddleClas " in text
    assert difference(path, wanted) == ""
    path.write_text(text.replace("0 deviating", "1 deviating"), encoding="utf-8")
    assert "-**" in difference(path, wanted)
    path.write_text(text.replace(CLAIMS_END, ""), encoding="utf-8")
    with pytest.raises(MarkerError, match="claims:end"):
        difference(path, wanted)


def test_a_document_without_them_has_no_claims(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    assert content("openmmlab", counted_rows(), tmp_path, path).claims is None
