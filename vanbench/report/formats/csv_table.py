"""CSV: a line for each number, with what was measured and the verdict.

Accuracies in other precisions have lines of their own: ``top1_bf16`` is no published number. Those
over other test sets have them too: ``imagenet_a.top1``.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from vanbench.outside.safe_text import for_terminal
from vanbench.report.answer import NUMBERS, named_figures
from vanbench.report.other_precisions import OtherAccuracy, other_accuracies
from vanbench.report.rows import ModelRow, OverSet
from vanbench.report.verdicts import NOT_REPORTED

COLUMNS = (
    "model", "number", "unit", "convention", "reported", "measured", "difference", "verdict",
    "reason", "file_status", "sha256", "images", "date", "source",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(rows: Sequence[ModelRow]) -> str:
    """A header and a line for each number; what was not measured or not reported is empty."""
    return csv_text(COLUMNS, (line for row in rows for line in _lines(row)))


def csv_text(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A CSV text with line feeds, quoted where it must be."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return stream.getvalue()


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: such a one gets an apostrophe in front.

    >>> safe_cell("=1+1"), safe_cell("van_b0.in1k")
    ("'=1+1", 'van_b0.in1k')
    """
    shown = for_terminal(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def _lines(row: ModelRow) -> Iterable[list[str]]:
    checkpoint, counts, accuracy = row.record.checkpoint, row.record.counts, row.record.accuracy
    for number, figure in named_figures(row).items():
        section = counts if number in ("params", "flops") else accuracy
        measured = "" if figure.measured is None else repr(float(figure.measured))
        yield [
            safe_cell(row.entry.name),
            number,
            NUMBERS[number][1],
            row.entry.counting.convention if number == "flops" else "",
            figure.reported.text if figure.reported else "",
            measured,
            "" if figure.delta is None else repr(float(figure.delta)),
            figure.verdict,
            safe_cell(figure.reason or ""),
            row.file_status,
            (checkpoint and checkpoint.sha256) or "",
            str(accuracy.images) if accuracy and number in ("top1", "top5") else "",
            section.date if section else "",
            safe_cell(row.entry.source),
        ]
    for other in other_accuracies(row):
        yield from _other_lines(row, other)
    for key, one in row.other_sets.items():
        yield from _set_lines(row, key, one)


def _set_lines(row: ModelRow, key: str, one: OverSet) -> Iterable[list[str]]:
    accuracy = one.accuracy
    for number, figure in (("top1", one.top1), ("top5", one.top5)):
        values = {
            "model": safe_cell(row.entry.name),
            "number": f"{key}.{number}",
            "unit": NUMBERS[number][1],
            "reported": figure.reported.text if figure.reported else "",
            "measured": "" if figure.measured is None else repr(float(figure.measured)),
            "difference": "" if figure.delta is None else repr(float(figure.delta)),
            "verdict": figure.verdict,
            "reason": safe_cell(figure.reason or ""),
            "file_status": row.file_status,
            "sha256": accuracy.sha256 if accuracy else "",
            "images": str(accuracy.images) if accuracy else "",
            "date": accuracy.date if accuracy else "",
            "source": safe_cell(row.entry.source) if figure.reported else "",
        }
        yield [values.get(column, "") for column in COLUMNS]


def _other_lines(row: ModelRow, other: OtherAccuracy) -> Iterable[list[str]]:
    accuracy = other.accuracy
    for number, value, reason in (
        ("top1", other.top1, other.compared),
        ("top5", other.top5, ""),
    ):
        values = {
            "model": safe_cell(row.entry.name),
            "number": f"{number}_{other.precision}",
            "unit": NUMBERS[number][1],
            "measured": repr(value),
            "verdict": NOT_REPORTED,
            "reason": reason,
            "file_status": row.file_status,
            "sha256": accuracy.sha256,
            "images": str(accuracy.images),
            "date": accuracy.date,
        }
        yield [values.get(column, "") for column in COLUMNS]
