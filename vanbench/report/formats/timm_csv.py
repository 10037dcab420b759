"""The columns of timm's ``results/results-*.csv``, for the models whose Top-1 was measured."""

from collections.abc import Sequence

from vanbench.report.formats.csv_table import csv_text, safe_cell
from vanbench.report.formats.values import percent, rounded
from vanbench.report.rows import ModelRow

COLUMNS = (
    "model", "top1", "top1_err", "top5", "top5_err", "param_count", "img_size", "crop_pct",
    "interpolation",
)  # fmt: skip


def render(rows: Sequence[ModelRow]) -> str:
    """Measured values alone: percentages with three decimals, ``param_count`` in millions."""
    return csv_text(COLUMNS, (_line(row) for row in rows if percent(row.top1) is not None))


def left_out(rows: Sequence[ModelRow]) -> list[str]:
    """The models without a measured Top-1."""
    return [row.entry.name for row in rows if percent(row.top1) is None]


def _line(row: ModelRow) -> list[str]:
    protocol = row.entry.protocol
    top1, top5 = percent(row.top1), percent(row.top5)
    return [
        safe_cell(row.entry.name),
        rounded(top1, 3),
        rounded(None if top1 is None else 100 - top1, 3),
        rounded(top5, 3),
        rounded(None if top5 is None else 100 - top5, 3),
        rounded(row.params.measured, 2),
        str(protocol.center_crop),
        rounded(protocol.center_crop / protocol.resize_short_edge, 3),
        protocol.interpolation,
    ]
