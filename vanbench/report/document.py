"""What ``vanbench table`` keeps up to date: the generated blocks of a document, and its figures."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vanbench.files import write_atomically
from vanbench.report import markers
from vanbench.report.chart_svg import accuracy_svg, complexity_svg
from vanbench.report.claims_summary import claims_summary
from vanbench.report.costs import costs
from vanbench.report.rows import ModelRow
from vanbench.report.tables import summary

COUNTS = "Parameters and FLOPs of each model, reported and counted"
ACCURACIES = "Top-1 accuracy of each model against its FLOPs, reported and measured"


@dataclass(frozen=True)
class Content:
    """The block of the results, those of costs and claims if there are such, SVG text by file."""

    results: str
    costs: str | None
    claims: str | None
    figures: Mapping[Path, str]


def content(
    zoo: str, rows: Sequence[ModelRow], results: Path, document: Path | None = None
) -> Content:
    """What belongs into a document; None is a document in the current folder without costs.

    A figure is a file beside the records of the zoo; there is one of the accuracies once an
    accuracy was measured.
    """
    drawn = {
        (results / zoo / "counts.svg", COUNTS): complexity_svg(rows),
        (results / zoo / "accuracy.svg", ACCURACIES): accuracy_svg(rows),
    }
    figures = {path: svg for (path, _), svg in drawn.items() if svg}
    links = {title: _link(path, document) for path, title in drawn if path in figures}
    spent = None
    if document and markers.has_costs(document):
        spent = costs(rows, results, _link(results / "bench", document))
    sources = None
    if document and markers.has_claims(document):
        sources = claims_summary(results)
    return Content(summary(rows, links), spent, sources, figures)


def update(document: Path, wanted: Content) -> bool:
    """Write what is out of date of the document and its figures; whether anything was."""
    changed = markers.write(document, wanted.results, wanted.costs, wanted.claims)
    for path, svg in wanted.figures.items():
        if _is_stale(path, svg):
            write_atomically(path, svg)
            changed = True
    return changed


def difference(document: Path, wanted: Content) -> str:
    """What is out of date: a diff of the document, a line for each figure; empty if nothing is."""
    stale = [path for path, svg in wanted.figures.items() if _is_stale(path, svg)]
    diff = markers.difference(document, wanted.results, wanted.costs, wanted.claims)
    figures = [f"{path}: the figure is out of date." for path in stale]
    return "\n".join(filter(None, [diff, *figures]))


def _is_stale(path: Path, text: str) -> bool:
    return not (path.is_file() and path.read_bytes() == text.encode())


def _link(path: Path, document: Path | None) -> str:
    """The address of a path, relative to the document's folder or else the current one."""
    folder = document.parent if document else Path()
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # on another drive of Windows
        return path.absolute().as_uri()
