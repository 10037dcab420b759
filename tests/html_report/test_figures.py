"""The charts as files: the same each time, whatever matplotlib's settings are."""

import sys
from xml.etree import ElementTree

import pytest

from tests.support.report_rows import counted_rows
from vanbench.errors import DependencyError
from vanbench.html_report.figures import charts_of, write_figures
from vanbench.html_report.sources import Sources, gather
from vanbench.zoo.reader import load_zoo

B0 = "van_b0.in1k"


@pytest.fixture
def sources(pytestconfig):
    """Rows with one measured accuracy, and the committed benchmarks."""
    zoo = load_zoo("openmmlab")
    benches = gather(zoo, pytestconfig.rootpath / "results").benches[:2]
    return Sources(zoo, tuple(counted_rows({B0: (37705, 46500)})), benches, (), None, "")


def test_each_chart_is_an_svg_and_a_png_file(sources, tmp_path):
    paths = write_figures(sources, tmp_path / "new" / "figures")
    keys = ["complexity", "accuracy-params", "accuracy-flops", "speed"]
    assert [path.name for path in paths] == [f"{k}.{e}" for k in keys for e in ("svg", "png")]
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        else:
            text = path.read_text(encoding="utf-8")
            assert ElementTree.fromstring(text).tag.endswith("svg")
            assert "dc:date" not in text


def test_the_same_records_give_the_same_files(sources, tmp_path):
    pytest.importorskip("matplotlib").rcParams["font.size"] = 20
    one = write_figures(sources, tmp_path / "one")
    other = write_figures(sources, tmp_path / "other")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert sys.modules["matplotlib"].rcParams["font.size"] == 20
    sys.modules["matplotlib"].rcdefaults()


def test_there_is_no_chart_without_data():
    assert charts_of(Sources(load_zoo("openmmlab"), (), (), (), None, "")) == []


def test_without_matplotlib_the_message_says_what_to_install(sources, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError) as caught:
        write_figures(sources, tmp_path)
    assert str(caught.value) == (
        "figures need matplotlib. Install it with: pip install 'vanbench[figures]'"
    )
