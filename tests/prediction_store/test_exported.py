"""Exported predictions that were edited, damaged or made by someone else."""

import json
import os

import pandas
import pyarrow
import pyarrow.parquet
import pytest

from tests.support.runs import row
from vanbench.errors import DataError
from vanbench.prediction_store import exported
from vanbench.prediction_store.export import COLUMNS, to_frame, write
from vanbench.prediction_store.exported import read
from vanbench.prediction_store.store import RunKey, StoredRun

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
        ({"logit1": "-99"}, "expected the choices best first"),
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
        (b"", "line 1: expected the columns image, sha256.*found nothing"),
        (b"image,label\na,1\n", r"expected the columns image, sha256.*found \['image', 'label'\]"),
        (",".join(COLUMNS).encode() + b"\na,b\n", "line 2: expected 15 fields, found 2"),
        (
            ",".join([*COLUMNS]).encode() + b"\n" + b"x," * 20,
            "line 2: expected 15 fields, found 21",
        ),
        (b"\xff\xfe\x00", "line 1: expected UTF-8 text, found the byte 0xff"),
        (b"x" * 2_000_000, "line 1: expected at most 983,040 characters"),
        (b'"' + b"x\n" * 100_000, "larger than field limit"),
        (b'"' + b"x" * 70_000 + b'"', "fields of at most 65,536 characters"),
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


RUN = StoredRun(3, "m", RunKey("c0ffee", {}, {}), "2026-01-01", 1, 1, "f00d")
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "not a readable key of the run in x.csv"),
        (DEEP, "nested more than 64 deep"),
        ("[]", "an object without sha256"),
        ('{"sha256": 5}', "an object without sha256"),
        ('{"sha256": "%s", "run": []}', "an object with checkpoint, protocol and numerics"),
        (
            '{"sha256": "%s", "run": {"checkpoint": "a", "protocol": 1, "numerics": {}}}',
            "an object with checkpoint",
        ),
        ('{"sha256": ' + "9" * 5000 + "}", "a number of more than 300 characters"),
    ],
)
def test_a_key_that_is_none_is_refused(text, message, tmp_path):
    path = tmp_path / "x.csv"
    write(path, [row("a", "p", "pqr")], RUN)
    beside = tmp_path / "x.csv.json"
    sha256 = json.loads(beside.read_text())["sha256"]
    beside.write_text(text.replace("%s", sha256))
    with pytest.raises(DataError, match=message) as refused:
        read(path)
    assert refused.value.where == beside
    assert len(str(refused.value)) < 1000


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkdir, pipe, device, loop])
@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.csv.json"])
def test_what_is_no_file_is_not_opened(make, name, tmp_path):
    if name == "x.csv.json":
        write(tmp_path / "x.csv", [row("a", "p", "pqr")])
    make(tmp_path / name)
    with pytest.raises(DataError, match=r"expected a file, found|loop of symbolic"):
        read(tmp_path / name.removesuffix(".json"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_is_too_large_is_not_read(suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    with path.open("wb") as file:
        file.truncate(exported.MOST_BYTES + 1)
    with pytest.raises(DataError, match="expected at most 500,000,000 bytes, found 500,000,001"):
        read(path)


def frame(**changes):
    return to_frame([row(f"{i}", "p", "pqr") for i in range(5)]).assign(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top1": [1, 2, 3, 4, 5]}, "expected text in the column top1, found int64"),
        ({"logit1": ["a"] * 5}, "expected numbers in the column logit1, found "),
        ({"image": [[1]] * 5}, "expected text in the column image, found list"),
        ({"image": "x" * 70_000}, "texts of at most 65,536 characters, found 70,000"),
        ({"image": None}, "expected an image"),
        ({"sha256": "AB" * 32}, "expected an image, its SHA-256"),
        ({"logit1": None}, "expected a logit for each of 3 choices, found 2"),
        ({"correct1": 2}, "contradicts"),
    ],
)
def test_columns_of_other_types_or_values_are_refused(change, message, tmp_path):
    frame(**change).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.parquet")


def test_a_parquet_file_of_a_few_kilobytes_with_millions_of_rows_is_refused(tmp_path):
    rows = frame().iloc[[0] * 200_000]
    rows.to_parquet(tmp_path / "x.parquet", index=False)
    assert (tmp_path / "x.parquet").stat().st_size < 50_000
    with pytest.raises(DataError, match="expected at most 10,000 rows in a file of this size"):
        read(tmp_path / "x.parquet")


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "MOST_BYTES", 1_000_000)
    frame(extra=b"\0" * 1_000_000).to_parquet(tmp_path / "x.parquet", compression="zstd")
    with pytest.raises(DataError, match="at most 1,000,000 bytes when it is unpacked, found 1,0"):
        read(tmp_path / "x.parquet")


def test_deep_or_wrong_metadata_of_a_parquet_file_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    table = pyarrow.Table.from_pandas(frame())
    for text in (DEEP, '{"vanbench": []}', "no JSON"):
        pyarrow.parquet.write_table(table.replace_schema_metadata({"PANDAS_ATTRS": text}), path)
        with pytest.raises(DataError, match=r"x\.parquet: "):
            read(path)
