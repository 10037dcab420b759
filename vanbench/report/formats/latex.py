"""A LaTeX table with booktabs: what is reported and what was measured, in columns of their own."""

import re
from collections.abc import Sequence

from vanbench.conventions import TITLES
from vanbench.outside.safe_text import for_terminal
from vanbench.report.answer import answer
from vanbench.report.formats.values import MADE_BY
from vanbench.report.rows import Figure, ModelRow

MISSING = "--"
MARKS = {"deviates": r"$^{\times}$", "erratum": r"$^{!}$", "close": r"$^{\approx}$",
         "partial": r"$^{p}$"}  # fmt: skip
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": r"$-$", "×": r"$\times$", "→": r"$\to$", "≈": r"$\approx$",
}  # fmt: skip


def render(rows: Sequence[ModelRow]) -> str:
    """A ``tabular`` that needs ``\\usepackage{booktabs}``, with a note under it as a comment."""
    titles = ("Params (M)", f"FLOPs (G, {_convention(rows)})", r"Top-1 (\%)", r"Top-5 (\%)")
    groups = " & ".join(rf"\multicolumn{{2}}{{c}}{{{title}}}" for title in titles)
    rules = "".join(rf"\cmidrule(lr){{{i}-{i + 1}}}" for i in (2, 4, 6, 8))
    lines = [
        f"% {_one_line(MADE_BY)}: {_one_line(answer(rows).sentence)}.",
        "% Needs \\usepackage{booktabs}. Without a mark: equal at the printed precision.",
        r"% Marks: \times deviates, ! misprint that equals its correction, \approx within 0.05"
        " points, p over a part of the images.",
        r"\begin{tabular}{lrrrrrrrrl}",
        r"\toprule",
        rf"Model & {groups} & Verdict \\",
        rules,
        r" & reported & measured" + r" & reported & measured" * 3 + r" & \\",
        r"\midrule",
        *(_line(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """A text that LaTeX prints as it is.

    >>> escape("van_b0 & 50 %")
    'van\\\\_b0 \\\\& 50 \\\\%'
    """
    return re.sub(".", lambda found: SPECIAL.get(found[0], found[0]), for_terminal(text))


def _convention(rows: Sequence[ModelRow]) -> str:
    titles = dict.fromkeys(TITLES[row.entry.counting.convention] for row in rows)
    return " or ".join(map(escape, titles))


def _line(row: ModelRow) -> str:
    cells = [escape(row.entry.name)]
    for figure in row.figures:
        cells += [figure.reported.text if figure.reported else MISSING, _measured(figure)]
    return " & ".join([*cells, escape(row.verdict)]) + r" \\"


def _measured(figure: Figure) -> str:
    if figure.measured is None:
        return MISSING
    digits = figure.reported.decimals + 1 if figure.reported else 3
    return f"{float(figure.measured):.{digits}f}{MARKS.get(figure.verdict, '')}"


def _one_line(text: str) -> str:
    return for_terminal(text).replace("\n", " ")
