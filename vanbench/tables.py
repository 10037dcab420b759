"""Rows as text: the cells of the Results table, its footnotes, and Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tabulate import tabulate

from vanbench import records
from vanbench.rows import Figure, Row
from vanbench.statistics import (
    CLOSE,
    DEVIATES,
    ERRATUM,
    NOT_MEASURED,
    NOT_REPORTED,
    PARTIAL,
    REPRODUCED,
)

CONVENTIONS = {"openmmlab": "OpenMMLab", "fvcore": "fvcore"}
ACCURACIES = ("Top-1, %", "Top-5, %")
MARKS = {
    REPRODUCED: "✓",
    CLOSE: "≈",
    ERRATUM: "(!)",
    DEVIATES: "✗",
    PARTIAL: "(partial)",
    NOT_REPORTED: "",
}
LEGEND = (
    "Each cell: reported → measured (difference). ✓ equal at the printed precision, "
    "≈ within 0.05 points, (!) differs from a misprint and equals its correction, ✗ deviates."
)


@dataclass
class Footnotes:
    """Notes under a table, each text once, numbered as they are first used."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The reference to a note, such as ``[1]``."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def columns(rows: list[Row]) -> list[str]:
    """The headings; FLOPs are under the convention of the claims, and under fvcore's."""
    used = dict.fromkeys(CONVENTIONS[row.entry.counting.convention] for row in rows)
    flops = f"FLOPs, G ({' or '.join(used)})"
    return ["Model", "Checkpoint", "Params, M", flops, "FLOPs, G (fvcore)", *ACCURACIES, "Verdict"]


def cells(row: Row, notes: Footnotes) -> list[str]:
    """One model's cells in the order of ``columns``."""
    return [
        row.entry.name,
        _file_cell(row, notes),
        _counted(row.params, row, notes),
        _counted(row.flops, row, notes),
        _fvcore_cell(row),
        _figure_cell(row.top1, row, notes),
        _figure_cell(row.top5, row, notes),
        row.verdict,
    ]


def markdown(rows: Iterable[Row]) -> str:
    """The Results table as GitHub Markdown, with legend and footnotes."""
    rows, notes = list(rows), Footnotes()
    body = [cells(row, notes) for row in rows]
    table = tabulate(body, columns(rows), tablefmt="github", disable_numparse=True)
    listed = [f"[{number}] {text}" for number, text in enumerate(notes.texts, 1)]
    return "\n\n".join([table, LEGEND, *listed, *_provenance(rows)]) + "\n"


def _file_cell(row: Row, notes: Footnotes) -> str:
    checkpoint = row.record.checkpoint
    if checkpoint is None:
        return NOT_MEASURED
    if checkpoint.status in records.HAVE_FILE:
        return f"{checkpoint.status} {str(checkpoint.sha256)[:8]}"
    reason = first_sentence(checkpoint.reason or checkpoint.status)
    note = f"{reason} ({checkpoint.date})".replace(checkpoint.file, "the file")
    return f"{checkpoint.status} {notes.mark(note)}"


def _counted(figure: Figure, row: Row, notes: Footnotes) -> str:
    counts = row.record.counts
    cell = _figure_cell(figure, row, notes)
    if counts is not None and counts.source == "architecture":
        cell += " " + notes.mark(
            "counted from the declared architecture, not from a file's tensors"
        )
    return cell


def _figure_cell(figure: Figure, row: Row, notes: Footnotes) -> str:
    reported = str(figure.reported) if figure.reported else "–"
    if figure.measured is None:
        if figure.reported is None:
            return NOT_REPORTED
        return f"{reported} → {NOT_MEASURED} {notes.mark(figure.reason or NOT_MEASURED)}"
    mark = MARKS[figure.verdict]
    if figure.verdict == ERRATUM and row.entry.erratum:
        mark += " " + notes.mark(f"{row.entry.name}: {row.entry.erratum.reason}")
    if figure.verdict == PARTIAL and row.record.accuracy:
        used = f"{row.record.accuracy.images:,}"
        mark += " " + notes.mark(f"over {used} images, not the whole set that the claim is about")
    cell = f"{reported} → {_number(figure)} {_difference(figure)} {mark}".rstrip()
    return cell + _unreadable(figure, row, notes)


def _unreadable(figure: Figure, row: Row, notes: Footnotes) -> str:
    """A note when images that could not be read were counted as wrong."""
    accuracy = row.record.accuracy
    if accuracy is None or figure not in (row.top1, row.top5):
        return ""
    count = len(accuracy.data.get("unreadable") or {})
    return f" {notes.mark(f'{count} unreadable images counted as wrong')}" if count else ""


def _fvcore_cell(row: Row) -> str:
    counts, reported = row.record.counts, row.entry.claims.flops_g
    if counts is None:
        return NOT_MEASURED
    measured = counts.flops["fvcore"] / 1e9
    if reported is None:
        return f"{measured:.3f}"
    digits = reported.decimals + 1
    return f"{measured:.{digits}f} ({_signed(measured - float(reported.value), digits)})"


def _number(figure: Figure) -> str:
    return f"{float(figure.measured or 0):.{_digits(figure)}f}"


def _difference(figure: Figure) -> str:
    if figure.delta is None:
        return ""
    return f"({_signed(float(figure.delta), _digits(figure))})"


def _digits(figure: Figure) -> int:
    """One more than was printed, so that a difference below the printed precision shows."""
    return figure.reported.decimals + 1 if figure.reported else 3


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return "±0"
    return ("−" if value < 0 else "+") + text


def first_sentence(text: str) -> str:
    """The text up to its first full stop that ends a sentence."""
    return text.split(". ")[0].rstrip(".").replace("\n", " ")


def _provenance(rows: list[Row]) -> list[str]:
    """What the numbers were measured on, one line per distinct set-up."""
    lines = []
    for row in rows:
        for what, section in (("Counts", row.record.counts), ("Accuracy", row.record.accuracy)):
            if section is not None:
                e = section.environment
                where = e.get("gpu") or f"CPU ({e.get('cpu')})"
                line = (
                    f"{what} measured {section.date} with vanbench {e.get('vanbench')}, "
                    f"torch {e.get('torch')}, fvcore {e.get('fvcore')}, on {where}."
                )
                if line not in lines:
                    lines.append(line)
    return lines
