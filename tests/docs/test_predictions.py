"""What the documents say of exported predictions."""

import re

from tests.support.command_line import ROOT
from vanbench.prediction_store.export import COLUMNS

TEXT = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))


def test_the_columns_of_an_export_are_described():
    """Of columns with a number, such as top1 … top5, the first and the last are enough."""
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", TEXT, re.M) for name in row.split("`")[1::2]
    }
    written = {name for name in COLUMNS if name[-1] not in "234"}
    assert written <= named
