"""The LaTeX table: every line has the same columns, and no text is a command."""

import re

from vanbench.report.formats import latex


def body(text):
    """The cells of each line between the rules."""
    lines = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    assert all(line.endswith(r" \\") for line in lines)
    return [re.split(r"(?<!\\)&", line.removesuffix(r" \\")) for line in lines]


def test_reported_and_measured_have_columns_of_their_own(rows):
    cells = [[cell.strip() for cell in line] for line in body(latex.render(rows))]
    assert {len(line) for line in cells} == {10}
    assert cells[0] == [
        r"van\_b0.in1k", "4.11", "4.106", "0.88", "0.880", "75.41", "75.410", "93.02", "93.020",
        "reproduced",
    ]  # fmt: skip
    assert cells[1][5:7] == ["81.01", r"80.000$^{\times}$"]
    assert cells[2][5:7] == ["82.80", "--"]
    assert cells[7][1:3] == ["283.9", "199.83$^{!}$"]


def test_text_from_outside_is_escaped(hostile):
    (cells,) = body(latex.render([hostile]))
    assert cells[0].strip() == r"+cmd\textbar{}calc.in1k"
    assert latex.escape("50 % & \\input{x} $y$ a_b #1 ~^\n") == (
        r"50 \% \& \textbackslash{}input\{x\} \$y\$ a\_b \#1 \textasciitilde{}"
        r"\textasciicircum{}\textbackslash{}n"
    )


def test_groups_and_braces_are_closed(rows):
    text = latex.render(rows)
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert text.count("\\begin{tabular}{lrrrrrrrrl}") == text.count("\\end{tabular}") == 1
