"""The Results table, its notes, and what the numbers were measured on."""

import re
from dataclasses import replace

import pytest

from tests.support.recorded import NAME, SHA256, entry_in, full_record, without_file
from vanbench.report.markers import BEGIN, END, write
from vanbench.report.records import Record
from vanbench.report.rows import make_row, unjudged_row
from vanbench.report.tables import LEGEND, LINE_COLUMNS, Footnotes, columns, lines, markdown

CLAIMS = '{ params_m = "0.02", flops_g = "1.5", top1 = "50.00", top5 = "69.97" }'


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path, reported=CLAIMS)


@pytest.fixture
def full(entry):
    return full_record(entry)


def cells(row):
    """The cells of the only model of a table, by heading."""
    header, _, line = markdown([row]).splitlines()[:3]
    split = [[cell.strip() for cell in text.strip("|").split("|")] for text in (header, line)]
    return dict(zip(*split, strict=True))


def test_cells_of_a_full_record(entry, full):
    params = full.counts.params / 1e6
    assert cells(make_row(entry, full)) == {
        "Model": NAME,
        "Checkpoint": f"verified<br>`{SHA256[:8]}`",
        "Params, M": f"0.02 → {params:.3f}<br>(+{params - 0.02:.3f}) ✓",
        "FLOPs, G (OpenMMLab)": "1.5 → 0.00<br>(−1.50) ✗",
        "FLOPs, G (fvcore)": "0.00<br>(−1.50)",
        "Top-1, %": "50.00 → 50.000<br>(±0) ✓",
        "Top-5, %": "69.97 → 70.000<br>(+0.030) ≈",
        "Verdict": "deviates",
    }


def test_cells_without_a_file_refer_to_notes(entry, full):
    row = make_row(entry, without_file(full))
    found = cells(row)
    assert found["Checkpoint"] == "unreachable [1] [2]"
    assert found["Top-1, %"] == "50.00 →<br>not measured [3]"
    text = markdown([row])
    assert text.count(LEGEND) == 1
    assert "\n[1] DNS (2026-01-01)\n" in text
    assert "\n[2] parameters and FLOPs are of the declared architecture, not" in text
    assert "\n[3] checkpoint unreachable\n" in text


def test_a_model_without_a_record(entry):
    found = cells(make_row(entry, Record("zoo", NAME)))
    assert found["Checkpoint"] == "not measured"
    assert found["FLOPs, G (fvcore)"] == "not measured"


def test_what_is_wrong_with_weights_and_images_is_a_note(entry, full):
    data = replace(full.accuracy.data, unreadable={"a.jpg": "damaged", "b.jpg": "damaged"})
    record = replace(
        full,
        checkpoint=replace(full.checkpoint, oddities=("head.weight holds NaN",)),
        accuracy=replace(full.accuracy, data=data),
    )
    text = markdown([make_row(entry, record)])
    assert "\n[1] head.weight holds NaN\n" in text
    assert "2 unreadable images counted as wrong" in text


def test_equal_notes_are_one():
    notes = Footnotes()
    assert [notes.mark(text) for text in "aba"] == ["[1]", "[2]", "[1]"]
    assert notes.texts == ["a", "b"]


@pytest.mark.parametrize(
    ("commit", "dirty", "text"),
    [
        (None, None, "with vanbench 0.1.0, torch"),
        ("0123456789abcdef", False, "with vanbench 0.1.0 (commit 01234567), torch"),
        ("0123456789abcdef", True, "with vanbench 0.1.0 (commit 01234567, modified), torch"),
    ],
)
def test_the_code_that_measured_is_named(entry, full, commit, dirty, text):
    environment = replace(full.counts.environment, commit=commit, dirty=dirty)
    record = replace(full, counts=replace(full.counts, environment=environment), accuracy=None)
    assert f"Counts measured 2026-01-01 {text}" in markdown([make_row(entry, record)])


def test_each_model_is_a_few_lines_on_a_terminal(entry, full):
    table = lines(make_row(entry, full), Footnotes())
    assert {len(line) for line in table} == {len(LINE_COLUMNS)}
    assert [line[0] for line in table] == [
        NAME, "  SHA-256", "  params, M", "  FLOPs, G (OpenMMLab)", "  FLOPs, G (fvcore)",
        "  Top-1, %", "  Top-5, %",
    ]  # fmt: skip
    assert table[0][1:] == ["", "", "", "deviates"]
    assert table[5][1:] == ["50.00", "50.000", "±0", "reproduced"]


def test_headings_name_the_convention_of_the_claims(entry, full):
    row = make_row(entry, full)
    other = replace(entry, counting=replace(entry.counting, convention="fvcore"))
    assert "FLOPs, G (OpenMMLab or fvcore)" in columns([row, make_row(other, full)])


def test_text_from_outside_is_neither_markdown_nor_html_nor_a_marker(entry, full, tmp_path):
    """Wherever it stands: a name, a reason, a remark about weights, an environment."""
    bad = "![x](http://h/x) <img src=x> | `a` \x1b[31m\n\n# b <!-- vanbench:results:end -->"
    file = replace(without_file(full).checkpoint, cause=bad, reason=bad)
    environment = replace(full.counts.environment, cpu=bad, gpu=bad, torch=bad)
    data = replace(full.accuracy.data, total=12, verdict=bad, layout=bad)
    records = [
        replace(without_file(full), checkpoint=file),
        replace(full, checkpoint=replace(full.checkpoint, oddities=(bad,))),
        replace(full, counts=replace(full.counts, environment=environment)),
        replace(full, accuracy=replace(full.accuracy, data=data, environment=environment)),
    ]
    rows = [make_row(replace(entry, name=bad), record, reason=bad) for record in records]
    rows.append(unjudged_row(entry, Record("zoo", NAME), bad))
    text = markdown(rows)
    for raw in ("![", "<img", "\x1b", "\n# b", "<!--", "(http://h/x) <"):
        assert raw not in text
    assert r"!\[x\](http://h/x) &lt;img src=x&gt; \| \`a\`" in text
    table = text.split("\n\n")[0].splitlines()
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    document = tmp_path / "README.md"
    document.write_text(f"{BEGIN}\n{END}\n")
    assert write(document, text)
    assert not write(document, text)
