"""Rows as text: Markdown with notes for the Results table, lines for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tabulate import tabulate

from vanbench.checkpoints.weights import EMA
from vanbench.conventions import TITLES
from vanbench.environment import Environment
from vanbench.outside.safe_text import for_markdown
from vanbench.progress import BEFORE_UNIT, counted
from vanbench.report import records
from vanbench.report.answer import Answer, Finding, answer
from vanbench.report.other_precisions import other_accuracies
from vanbench.report.other_sets import other_set_accuracies
from vanbench.report.records import FileRecord
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import (
    CLOSE,
    DEVIATES,
    ERRATUM,
    NOT_MEASURED,
    NOT_REPORTED,
    PARTIAL,
    REPRODUCED,
    SYMBOLS,
)
from vanbench.zoo.other_sets import title_of

ACCURACIES = ("Top-1, %", "Top-5, %")
MARKS = {
    REPRODUCED: "✓",
    CLOSE: "≈",
    ERRATUM: "(!)",
    DEVIATES: "✗",
    PARTIAL: "(partial)",
    NOT_REPORTED: "",
}
DECLARED = "parameters and FLOPs are of the declared architecture, not of a file's tensors"
LEGEND = (
    "Each cell: reported → measured (difference). ✓ equal at the printed precision, "
    "≈ within 0.05 points, (!) differs from a misprint and equals its correction, ✗ deviates."
)

OTHER_SETS = "Other test sets, each with the images and by the rule of its authors:"
OTHER_PRECISIONS = "Other precisions than fp32, which the published numbers are not judged by:"


@dataclass
class Footnotes:
    """Notes under a table, each text once, numbered as they are first used."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The reference to a note, such as ``[1]``."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def columns(rows: list[ModelRow]) -> list[str]:
    """The headings; FLOPs are under the convention of the claims, and under fvcore's."""
    used = dict.fromkeys(TITLES[row.entry.counting.convention] for row in rows)
    flops = f"FLOPs, G ({' or '.join(used)})"
    return ["Model", "Checkpoint", "Params, M", flops, "FLOPs, G (fvcore)", *ACCURACIES, "Verdict"]


def cells(row: ModelRow, notes: Footnotes) -> list[str]:
    """One model's cells in the order of ``columns``."""
    return [
        for_markdown(row.entry.name),
        _file_cell(row, notes),
        _figure_cell(row.params, row, notes),
        _figure_cell(row.flops, row, notes),
        _fvcore_cell(row),
        _figure_cell(row.top1, row, notes),
        _figure_cell(row.top5, row, notes),
        row.verdict,
    ]


UNBROKEN = str.maketrans({" ": "&nbsp;", "-": "&#8209;"})  # no line ends at these
SUMMARY_COLUMNS = (
    "Model",
    "Params M<br>FLOPs G".translate(UNBROKEN),
    "Top-1 %<br>Top-5 %".translate(UNBROKEN),
)
SUMMARY_LEGEND = (
    "✓ reproduced at the printed precision, ≈ within 0.05 points, ! misprint and its correction, "
    "✗ deviates, ◐ partial, ○ not measured. FLOPs are under the convention of the claim."
)


def summary_cell(figure: Figure) -> str:
    """The symbol of the verdict and the published number; what was measured if it is another."""
    if figure.reported is None:
        return "–"
    text = f"{SYMBOLS[figure.verdict]} {figure.reported}"
    if figure.measured is None or figure.verdict == REPRODUCED:
        return text
    return f"{text} → {float(figure.measured):.{figure.reported.decimals + 1}f}"


def _narrow_cell(*figures: Figure) -> str:
    """Figures below each other, for a narrow page: a line may end before an arrow only."""
    cells = dict.fromkeys(map(summary_cell, figures))  # one dash where neither is reported
    return "<br>".join(cell.replace(" ", "&nbsp;").replace("&nbsp;→", " →") for cell in cells)


def compact_cell(figure: Figure) -> str:
    """The symbol of the verdict and one number: the measured one where it is not the published."""
    if figure.measured is None or figure.verdict == REPRODUCED or figure.reported is None:
        return summary_cell(figure)
    number = f"{float(figure.measured):.{figure.reported.decimals}f}"
    return f"{SYMBOLS[figure.verdict]} {number}"


def summary(rows: Sequence[ModelRow], figures: Mapping[str, str] | None = None) -> str:
    """What was found, as GitHub Markdown of three columns; the details are folded.

    ``figures`` has the address of each figure, relative to the document, by what it shows.
    """
    found, figures = answer(rows), figures or {}
    body = [
        [
            for_markdown(row.entry.name),
            _narrow_cell(row.params, row.flops),
            _narrow_cell(row.top1, row.top5),
        ]
        for row in rows
    ]
    table = tabulate(body, SUMMARY_COLUMNS, tablefmt="github", disable_numparse=True)
    date = f" ({found.date})" if found.date else ""
    parts = [
        f"**{found.headline}: {found.sentence}**{date}.",
        "\n".join(_points(found)),
        table,
        SUMMARY_LEGEND,
        *(f"![{title}]({address})" for title, address in figures.items()),
        "<details>\n<summary>Differences, conventions, provenance</summary>",
        markdown(rows).rstrip("\n"),
        "</details>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _points(found: Answer) -> list[str]:
    """The discoveries, then why numbers are missing, as a list."""
    findings = (*found.discoveries, *found.reasons)
    return [f"- {BEFORE_UNIT.sub('&nbsp;', for_markdown(in_words(item)))}" for item in findings]


def in_words(finding: Finding) -> str:
    """A finding as a sentence, with its models where the text does not begin with their name."""
    names, text = finding.models, finding.text.removesuffix(".")
    if text.startswith(names[0]):
        return f"{text}."
    about = ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} models"
    return f"{about}: {text}."


MOST_NAMED = 3
"""How many models a sentence names; more are counted."""

LINE_COLUMNS = ("model, number", ">reported", ">measured", ">difference", "verdict")


def lines(row: ModelRow, notes: Footnotes) -> list[list[str]]:
    """One model as a line with its verdict and one for each number, in ``LINE_COLUMNS``."""
    counts = row.record.counts
    convention = TITLES[row.entry.counting.convention]
    table = [_file_line(row, notes)]
    source = ""
    if counts and counts.source == "architecture":
        source = " " + notes.mark(DECLARED)
    table += [
        _line("params, M", row.params, row, notes, source),
        _line(f"FLOPs, G ({convention})", row.flops, row, notes, source),
    ]
    if counts and row.entry.counting.convention != "fvcore":
        digits = _digits(row.flops)
        table.append(
            ["FLOPs, G (fvcore)", "", f"{counts.flops['fvcore'] / 1e9:.{digits}f}", "", ""]
        )
    table += [
        _line("Top-1, %", row.top1, row, notes),
        _line("Top-5, %", row.top5, row, notes),
    ]
    for other in other_accuracies(row):
        judged = f"not judged {notes.mark(str(other))}"
        table.append([f"Top-1, % ({other.precision})", "", f"{other.top1:.3f}", "", judged])
        table.append([f"Top-5, % ({other.precision})", "", f"{other.top5:.3f}", "", judged])
    for key, one in row.other_sets.items():
        table.append(_line(f"Top-1, % ({title_of(key)})", one.top1, row, notes))
        table.append(_line(f"Top-5, % ({title_of(key)})", one.top5, row, notes))
    numbers = [[f"  {name}", *others] for name, *others in table]
    return [[row.entry.name, "", "", "", row.verdict], *numbers]


def _file_line(row: ModelRow, notes: Footnotes) -> list[str]:
    checkpoint = row.record.checkpoint
    if checkpoint is None:
        return ["SHA-256", "", "", "", row.file_status]
    status = checkpoint.status
    if status not in records.HAVE_FILE:
        status += " " + _cause(checkpoint, notes)
    status += "".join(f" {notes.mark(text)}" for text in _remarks(checkpoint))
    return ["SHA-256", row.entry.published_hash or "–", (checkpoint.sha256 or "")[:8], "", status]


def _line(
    number: str, figure: Figure, row: ModelRow, notes: Footnotes, source: str = ""
) -> list[str]:
    reported = str(figure.reported) if figure.reported else "–"
    if figure.measured is None:
        mark = notes.mark(figure.reason) if figure.reported and figure.reason else ""
        return [number, reported, "", "", f"{figure.verdict} {mark}".rstrip()]
    verdict = figure.verdict + _reason(figure, row, notes) + source
    difference = "" if figure.delta is None else _signed(float(figure.delta), _digits(figure))
    return [number, reported, _number(figure), difference, verdict]


def markdown(rows: Iterable[ModelRow]) -> str:
    """The Results table as GitHub Markdown, with legend and footnotes.

    Names and reasons come from zoo files, servers and records: what they hold is shown, and is
    neither Markdown nor HTML.
    """
    rows, notes = list(rows), Footnotes()
    body = [cells(row, notes) for row in rows]
    table = tabulate(body, columns(rows), tablefmt="github", disable_numparse=True)
    listed = [f"[{number}] {for_markdown(text)}" for number, text in enumerate(notes.texts, 1)]
    others = [f"- {for_markdown(f'{other}.')}" for row in rows for other in other_accuracies(row)]
    beside = [OTHER_PRECISIONS, "\n".join(others)] if others else []
    sets = [f"- {for_markdown(f'{one}.')}" for row in rows for one in other_set_accuracies(row)]
    beside += [OTHER_SETS, "\n".join(sets)] if sets else []
    provenance = map(for_markdown, _provenance(rows))
    return "\n\n".join([table, LEGEND, *listed, *beside, *provenance]) + "\n"


def _file_cell(row: ModelRow, notes: Footnotes) -> str:
    checkpoint = row.record.checkpoint
    if checkpoint is None:
        return row.file_status
    if checkpoint.status in records.HAVE_FILE:
        marks = "".join(f" {notes.mark(text)}" for text in _remarks(checkpoint))
        return f"{checkpoint.status}<br>`{str(checkpoint.sha256)[:8]}`{marks}"
    cell = f"{checkpoint.status} {_cause(checkpoint, notes)}"
    return f"{cell} {notes.mark(DECLARED)}" if row.record.counts else cell


def _remarks(checkpoint: FileRecord) -> list[str]:
    """What a reader has to know of the weights that were read."""
    averaged = ["the file's averaged (EMA) weights"] if checkpoint.weights == EMA else []
    return [*averaged, *(checkpoint.oddities or ())]


def _cause(checkpoint: FileRecord, notes: Footnotes) -> str:
    return notes.mark(f"{checkpoint.cause or checkpoint.status} ({checkpoint.date})")


def _figure_cell(figure: Figure, row: ModelRow, notes: Footnotes) -> str:
    reported = str(figure.reported) if figure.reported else "–"
    if figure.measured is None:
        if figure.reported is None:
            return NOT_REPORTED
        return f"{reported} →<br>{NOT_MEASURED} {notes.mark(figure.reason or NOT_MEASURED)}"
    mark = MARKS[figure.verdict] + _reason(figure, row, notes)
    return f"{reported} → {_number(figure)}<br>{_difference(figure)} {mark}".strip()


def _reason(figure: Figure, row: ModelRow, notes: Footnotes) -> str:
    """References to the notes that a verdict needs, with a space before each."""
    accuracy, erratum, texts = row.record.accuracy, row.entry.erratum, []
    if figure.verdict == ERRATUM and erratum:
        texts.append(f"{row.entry.name}: {erratum.reason}")
    if figure.reason:
        texts.append(figure.reason)
    if accuracy and figure in (row.top1, row.top5) and accuracy.data.unreadable:
        images = counted(len(accuracy.data.unreadable), "unreadable image")
        texts.append(f"{images} counted as wrong")
    return "".join(f" {notes.mark(text)}" for text in texts)


def _fvcore_cell(row: ModelRow) -> str:
    counts, reported = row.record.counts, row.entry.claims.flops_g
    if counts is None:
        return NOT_MEASURED
    measured = counts.flops["fvcore"] / 1e9
    if reported is None:
        return f"{measured:.3f}"
    digits = reported.decimals + 1
    return f"{measured:.{digits}f}<br>({_signed(measured - float(reported.value), digits)})"


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


def _provenance(rows: list[ModelRow]) -> list[str]:
    """What the numbers were measured on, one line per distinct set-up."""
    lines = []
    for row in rows:
        accuracies = {
            "Accuracy" if precision == records.FP32 else f"Accuracy in {precision}": accuracy
            for precision, accuracy in row.record.accuracies.items()
        }
        sets = (row.record.other_sets or {}).items()
        accuracies |= {f"Accuracy on {title_of(key)}": accuracy for key, accuracy in sets}
        for what, section in {"Counts": row.record.counts, **accuracies}.items():
            if section is not None:
                e = section.environment
                where = e.gpu or f"CPU ({e.cpu})"
                line = (
                    f"{what} measured {section.date} with vanbench {_code(e)}, "
                    f"torch {e.torch}, fvcore {e.fvcore}, on {where}."
                )
                if line not in lines:
                    lines.append(line)
    return lines


def _code(environment: Environment) -> str:
    """The version of vanbench with the commit, if the record has it."""
    if environment.commit is None:
        return str(environment.vanbench)
    modified = ", modified" if environment.dirty else ""
    return f"{environment.vanbench} (commit {environment.commit[:8]}{modified})"
