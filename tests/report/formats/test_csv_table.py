"""CSV, read back with pandas."""

import csv
import io

import pandas

from vanbench.report.answer import named_figures
from vanbench.report.formats import csv_table


def test_pandas_reads_every_number_back(rows):
    frame = pandas.read_csv(io.StringIO(csv_table.render(rows)), dtype={"reported": str})
    assert tuple(frame.columns) == csv_table.COLUMNS
    figures = [(row, key, f) for row in rows for key, f in named_figures(row).items()]
    assert len(frame) == len(figures) == 32
    for (row, key, figure), line in zip(figures, frame.itertuples(), strict=True):
        assert (line.model, line.number, line.verdict) == (row.entry.name, key, figure.verdict)
        assert pandas.isna(line.reported) == (figure.reported is None)
        assert figure.reported is None or line.reported == figure.reported.text
        assert pandas.isna(line.measured) == (figure.measured is None)
        assert figure.measured is None or line.measured == float(figure.measured)
        assert figure.delta is None or line.difference == float(figure.delta)


def test_a_spreadsheet_finds_no_formula_and_a_line_is_a_line(hostile):
    lines = list(csv.DictReader(io.StringIO(csv_table.render([hostile]))))
    assert len(lines) == 4
    for line in lines:
        assert line["model"] == "'+cmd|calc.in1k"
        assert line["source"].startswith("'=HYPERLINK")
        assert "\x1b" not in line["source"]
    assert float(lines[2]["measured"]) == 50.0
    assert lines[2]["verdict"] == "partial"
