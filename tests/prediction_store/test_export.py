"""Exported files: their bytes, what pandas reads, and what is refused."""

import csv
import io
import json

import pandas
import pytest

from tests.support.runs import row
from vanbench.errors import DataError
from vanbench.prediction_store.export import COLUMNS, read, to_frame, write
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


SHA256 = "ab" * 32
SOUND = ["a.JPEG", SHA256, "p", "1", "1", "p", "q", "", "", "", "2.0", "1.0", "", "", ""]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logit1": "nan"}, "expected a finite logit, found 'nan'"),
        ({"logit2": "-inf"}, "expected a finite logit, found '-inf'"),
        ({"logit2": "many"}, "expected a finite logit, found 'many'"),
        ({"logit2": ""}, "expected a logit for each of 2 choices, found 1"),
        ({"logit3": "0.5"}, "expected a logit for each of 2 choices, found 3"),
        ({"top1": "", "top2": "", "logit1": "", "logit2": ""}, "expected at least one choice"),
        ({"top1": ""}, "expected distinct choices without a gap"),
        ({"top2": "p"}, "expected distinct choices without a gap"),
        ({"correct1": "0"}, "contradicts the class and the choices"),
        ({"class": "q"}, "contradicts the class and the choices"),
        ({"correct5": ""}, "contradicts the class and the choices"),
        ({"class": ""}, "expected an image, its SHA-256 in hex and its class"),
        ({"sha256": "ab"}, "expected an image, its SHA-256 in hex and its class"),
        ({"image": ""}, "expected an image, its SHA-256 in hex and its class"),
    ],
)
def test_a_row_that_no_run_wrote_is_refused_with_its_line(change, message, tmp_path):
    cells = dict(zip(COLUMNS, SOUND, strict=True))
    lines = [",".join(COLUMNS), ",".join(SOUND), ",".join((cells | change).values())]
    (tmp_path / "x.csv").write_text("\r\n".join(lines) + "\r\n")
    with pytest.raises(DataError) as refused:
        read(tmp_path / "x.csv")
    assert message in refused.value.problem
    assert refused.value.where == f"{tmp_path / 'x.csv'}, line 3"
    assert "vanbench predictions RUN --write FILE" in refused.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected the columns image, sha256.*found none"),
        (b"image,label\na,1\n", "expected the columns image, sha256.*found image, label"),
        (",".join(COLUMNS).encode() + b"\na,b\n", "line 2: expected 15 columns"),
        (",".join([*COLUMNS]).encode() + b"\n" + b"x," * 20, "line 2: expected 15 columns"),
        (b"\xff\xfe\x00", "the predictions cannot be read"),
        (",".join(COLUMNS).encode() + b'\n"a\x00', "x.csv"),
        ((",".join(COLUMNS) + 2 * ("\n" + ",".join(SOUND))).encode(), "listed twice"),
    ],
)
def test_another_csv_file_is_refused(content, message, tmp_path):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.csv")


def test_a_file_that_is_not_parquet_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(DataError, match="the predictions cannot be read"):
        read(tmp_path / "x.parquet")
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="found a"):
        read(tmp_path / "x.parquet")


def test_only_csv_and_parquet_are_written(tmp_path):
    with pytest.raises(DataError, match=r"x\.xlsx: expected a file name that ends in \.csv or"):
        write(tmp_path / "x.xlsx", ROWS)
    assert not list(tmp_path.iterdir())
