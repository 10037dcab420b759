"""The formats of ``vanbench table --format``, beside Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vanbench.report.formats import csv_table, junit, latex, metafile, model_index, timm_csv
from vanbench.report.rows import ModelRow


def _nothing(rows: Sequence[ModelRow]) -> list[str]:
    return []


@dataclass(frozen=True)
class Format:
    """``render`` makes the text; ``left_out`` names the models without a result in it."""

    render: Callable[[Sequence[ModelRow]], str]
    left_out: Callable[[Sequence[ModelRow]], list[str]] = _nothing


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv_table.render),
    "timm-csv": Format(timm_csv.render, timm_csv.left_out),
    "model-index": Format(model_index.render, model_index.left_out),
    "metafile": Format(metafile.render, metafile.left_out),
    "latex": Format(latex.render),
    "junit": Format(junit.render),
}
