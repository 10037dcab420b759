"""Exported files: their bytes, what pandas reads, and what is refused."""

import csv
import io
import json

import pandas
import pytest

from tests.support.runs import row
from vanbench.errors import DataError
from vanbench.prediction_store.export import COLUMNS, to_frame, write
from vanbench.prediction_store.exported import read
from vanbench.prediction_store.store import RunKey, StoredRun

KEY = RunKey("c0ffee" * 10, {"crop": 224, "mean": [1.5, 2.0]}, {"torch": "2.14", "gpu": None})
RUN = StoredRun(3, "van_b0", KEY, "2026-01-01", 4, 1, "f00d")
ROWS = [
    row("n1/a, with comma.JPEG", "p", "pqrst", (1 / 3, -2e-8, -1e9, -1e16, -1.5e300)),
    row('n1/a "quoted".JPEG', "hot dog", ("q", "hot dog", "NA"), (1e22, 0.1, -0.0)),
    row("naïve\n.JPEG", "null", ("None", "nan"), (5.0, 1e-5)),
    row("x.JPEG", "1", ("1",), (2.0,)),
]


def by_csv_module(rows):
    """The bytes that Python's csv module writes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for r in rows:
        missing = [None] * (5 - len(r.top))
        writer.writerow(
            [r.name, r.sha256, r.wnid, int(r.correct1), int(r.correct5), *r.top, *missing,
             *r.logits, *missing]
        )  # fmt: skip
    return file.getvalue().encode()


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], ROWS[3:], []])
def test_a_csv_file_has_the_bytes_of_pythons_csv_module(rows, tmp_path):
    assert write(tmp_path / "x.csv", rows) == len(rows)
    assert (tmp_path / "x.csv").read_bytes() == by_csv_module(rows)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_written_is_read_again(suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    write(path, ROWS, RUN)
    found = read(path)
    assert list(found.rows) == ROWS
    assert found.key == KEY
    write(path.with_stem("y"), ROWS)
    assert read(path.with_stem("y")).key is None


def test_a_frame_has_the_documented_columns_and_types():
    frame = to_frame(ROWS, RUN)
    assert list(frame.columns) == COLUMNS
    assert (frame["correct1"].tolist(), frame["correct5"].tolist()) == ([1, 0, 0, 1], [1, 1, 0, 1])
    assert frame["correct1"].dtype == "int64"
    assert all(frame[f"logit{i}"].dtype == "float64" for i in range(1, 6))
    assert frame["top4"].isna().tolist() == [False, True, True, True]
    assert frame.attrs["vanbench"]["model"] == "van_b0"
    assert frame.attrs["vanbench"]["numerics"] == {"torch": "2.14", "gpu": None}


def test_pandas_reads_a_csv_file_without_any_option(tmp_path):
    rows = [row(f"{i}", "p", "pq" if i % 2 else "qp", (2.0, 1.0)) for i in range(10)]
    write(tmp_path / "x.csv", rows, RUN)
    frame = pandas.read_csv(tmp_path / "x.csv")
    assert list(frame.columns) == COLUMNS
    assert frame["correct1"].mean() == 0.5
    write(tmp_path / "x.parquet", rows, RUN)
    frame = pandas.read_parquet(tmp_path / "x.parquet")
    assert frame["correct1"].mean() == 0.5
    assert frame.attrs["vanbench"]["checkpoint"] == KEY.checkpoint


def test_the_key_beside_a_csv_file_is_not_that_of_another_content(tmp_path):
    path = tmp_path / "x.csv"
    write(path, ROWS, RUN)
    document = json.loads((tmp_path / "x.csv.json").read_text())
    assert (document["schema"], document["run"]["fingerprint"]) == (1, "f00d")
    path.write_bytes(by_csv_module(ROWS[1:]))
    assert read(path).key is None
    (tmp_path / "x.csv.json").write_text("{}")
    with pytest.raises(DataError, match=r"x\.csv\.json: expected the key of the run in x\.csv"):
        read(path)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf" + by_csv_module(ROWS))
    assert list(read(tmp_path / "x.csv").rows) == ROWS


def test_only_csv_and_parquet_are_written(tmp_path):
    with pytest.raises(DataError, match=r"x\.xlsx: expected a file name that ends in \.csv or"):
        write(tmp_path / "x.xlsx", ROWS)
    assert not list(tmp_path.iterdir())
