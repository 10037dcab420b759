"""Every format is complete, and its output is encodable and ends as a text file does."""

import pytest

from vanbench.report.formats.registry import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_all_rows_none_and_hostile_ones(name, rows, hostile):
    for some in (rows, [], [hostile]):
        text = FORMATS[name].render(some)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "\x1b" not in text
        assert set(FORMATS[name].left_out(some)) <= {row.entry.name for row in some}


def test_the_names_are_those_that_scripts_rely_on():
    assert set(FORMATS) == {"csv", "timm-csv", "model-index", "metafile", "latex", "junit"}
