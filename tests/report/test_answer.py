"""The answer over all rows: headline, tally, discoveries, reasons."""

import re
from dataclasses import replace

import pytest

from tests.support.report_rows import counted_rows
from vanbench.report.answer import Finding, answer
from vanbench.report.records import Record
from vanbench.report.rows import make_row
from vanbench.report.tables import compact_cell, in_words, summary, summary_cell

B0, B6 = "van_b0.in1k", "van_b6.in21k"


def row_of(name, rows):
    return next(row for row in rows if row.entry.name == name)


def test_counts_without_files():
    found = answer(counted_rows())
    assert found.headline == "INCOMPLETE"
    assert found.sentence == (
        "14 of 26 published numbers reproduced, 2 misprints, 0 deviate, 10 not measured; "
        "0 of 8 files verified"
    )
    (misprint,) = found.discoveries
    assert misprint == Finding(
        f"{B6} is misprinted: parameters 283.9 M, counted 199.83 M; "
        "FLOPs 55.28 G, counted 38.909 G",
        (B6,),
    )


def test_one_number_of_one_file():
    row = row_of(B0, counted_rows())
    one = replace(row.entry, claims=replace(row.entry.claims, flops_g=None, top1=None, top5=None))
    found = answer([make_row(one, row.record)])
    assert found.sentence == "1 of 1 published number reproduced, 0 deviate; 0 of 1 file verified"


def test_a_reason_is_given_once_however_many_models_share_it():
    rows = counted_rows()
    files, accuracies = answer(rows).reasons
    assert files.models == tuple(row.entry.name for row in rows)
    assert files.text == "file unreachable: no host"
    assert accuracies.text == "Top-1 and Top-5 not measured: checkpoint unreachable"
    assert len(accuracies.models) == 5


@pytest.mark.parametrize(
    ("correct", "headline", "part"),
    [
        ((37705, 46510), "REPRODUCED", "4 of 4 published numbers reproduced, 0 deviate; 1 of 1"),
        ((37715, 46510), "REPRODUCED", "3 of 4 published numbers reproduced, 1 close, 0 deviate"),
        ((36015, 46510), "DEVIATES", "3 of 4 published numbers reproduced, 1 deviates; 1 of 1"),
    ],
)
def test_the_headline_of_what_was_measured(correct, headline, part):
    row = row_of(B0, counted_rows({B0: correct}))
    found = answer([row])
    assert found.headline == headline
    assert found.sentence.startswith(part)
    deviations = [finding.text for finding in found.discoveries]
    expected = [f"{B0} deviates: Top-1 75.41 %, measured 72.030 %"]
    assert deviations == (expected if headline == "DEVIATES" else [])


def test_a_file_that_is_missing_makes_it_incomplete():
    """Even where every number was measured."""
    row = row_of(B6, counted_rows())
    assert row.entry.claims.top1 is None
    assert answer([row]).headline == "INCOMPLETE"
    assert answer([]).headline == "INCOMPLETE"


def test_what_is_unusual_about_weights_is_a_discovery():
    row = row_of(B0, counted_rows({B0: (37705, 46510)}))
    file = replace(row.record.checkpoint, oddities=("head.weight holds NaN",), weights="ema")
    found = answer([replace(row, record=replace(row.record, checkpoint=file))])
    assert [finding.text for finding in found.discoveries] == [
        "head.weight holds NaN",
        "the averaged (EMA) weights of the file were read",
    ]


def test_a_model_without_a_record_says_so():
    row = row_of(B0, counted_rows())
    found = answer([make_row(row.entry, Record("openmmlab", B0))])
    assert [finding.text for finding in found.reasons] == [
        "file never looked for",
        "parameters and FLOPs not measured: not counted yet",
        "Top-1 and Top-5 not measured: never run",
    ]
    assert found.date is None


def test_cells_show_the_symbol_and_the_number():
    b0, b6 = (row_of(name, counted_rows()) for name in (B0, B6))
    assert [summary_cell(f) for f in b0.figures] == ["✓ 4.11", "✓ 0.88", "○ 75.41", "○ 93.02"]
    assert summary_cell(b6.params) == "! 283.9 → 199.83"
    assert compact_cell(b6.params) == "! 199.8"
    assert summary_cell(b6.top1) == "–"


def test_the_summary_is_narrow_and_has_its_figure():
    text = summary(counted_rows(), {"The counts": "results/counts.svg", "Other": "b.svg"})
    rows = [line for line in text.splitlines() if line.startswith(f"| {B0} ")]
    assert [cell.strip() for cell in rows[0].strip("|").split("|")] == [
        B0, "✓&nbsp;4.11<br>✓&nbsp;0.88", "○&nbsp;75.41<br>○&nbsp;93.02",
    ]  # fmt: skip
    headings = next(line for line in text.splitlines() if line.startswith("| Model "))
    assert all(not re.search(r"\S[ -]\S", cell) for cell in headings.strip("| ").split(" | "))
    assert "parameters 283.9&nbsp;M, counted 199.83&nbsp;M; FLOPs 55.28&nbsp;G, counted" in text
    assert "\n\n![The counts](results/counts.svg)\n\n![Other](b.svg)\n\n" in text
    assert "](" not in summary(counted_rows()).split("<details>")[0]


def test_a_sentence_names_few_models_and_counts_many():
    assert in_words(Finding("no file", ("a", "b"))) == "a, b: no file."
    assert in_words(Finding("no file", tuple("abcd"))) == "4 models: no file."
    assert in_words(Finding("a deviates", ("a",))) == "a deviates."
    assert in_words(Finding("no images.", ("b",))) == "b: no images."
