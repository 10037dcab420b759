"""What checking a zoo costs, in sentences."""

from dataclasses import replace

import pytest

from tests.support.command_line import ROOT
from tests.support.report_rows import counted_rows
from vanbench.errors import RecordError
from vanbench.report import bench_records
from vanbench.report.costs import costs
from vanbench.report.records import Record
from vanbench.report.rows import make_row
from vanbench.zoo.reported import Reported

RESULTS = ROOT / "results"
JUDGED = [f"van_b{i}.in1k" for i in range(5)]


@pytest.fixture
def recorded(tmp_path):
    """A folder of results with the benchmark records of the models that claim an accuracy."""
    for name in JUDGED:
        bench_records.write(tmp_path, bench_records.read(RESULTS / "bench" / f"{name}.json"))
    return tmp_path


def change(results, name, **changes):
    """Another record of a model in place of its own."""
    path = results / "bench" / f"{name}.json"
    record = replace(bench_records.read(path), **changes)
    path.unlink()
    bench_records.write(results, record)


def times(rows, results):
    """What is said of the time."""
    return [line for line in costs(rows, results, "b").splitlines() if line.startswith("- Time")]


def with_entries(rows, **changes):
    return [make_row(replace(row.entry, **changes), row.record) for row in rows]


def test_the_time_is_the_sum_over_the_models_at_their_recorded_speeds(recorded):
    speeds = [bench_records.read(recorded / "bench" / f"{name}.json") for name in JUDGED]
    seconds = 50_000 * sum(1 / record.optimized.images_per_s for record in speeds)
    minutes = round(seconds / 60)
    (text,) = times(counted_rows(), recorded)
    assert text == (
        f"- Time: {minutes // 60}&nbsp;h {minutes % 60}&nbsp;min for 5 models × 50,000 images on 2 cores of "
        "a CPU (AMD EPYC), at the speeds in [`b`](b), without decoding the images; "
        f"with `--limit 2000`, {seconds / 25 / 60:.0f}&nbsp;min."
    )


def test_a_short_set_needs_no_limit(recorded):
    (text,) = times(with_entries(counted_rows(), images=2000), recorded)
    assert " × 2,000 images " in text
    assert "--limit" not in text


def other(records, **changes):
    return {"environment": replace(records.environment, **changes)}


UNFIT = {
    "another machine": lambda record: other(record, cpu="Other"),
    "other threads": lambda record: other(record, threads=1),
    "another size of images": lambda record: {"resolution": 64},
    "another network": lambda record: {
        "architecture": replace(record.architecture, depths=(1, 1, 1, 1))
    },
    "another precision": lambda record: {"precision": "bf16"},
    "another device": lambda record: {"device": "cuda"},
}


@pytest.mark.parametrize("case", UNFIT)
def test_no_time_is_said_without_a_fitting_record_of_each_model(case, recorded):
    assert times(counted_rows(), recorded)
    record = bench_records.read(recorded / "bench" / f"{JUDGED[2]}.json")
    change(recorded, JUDGED[2], **UNFIT[case](record))
    assert times(counted_rows(), recorded) == []


@pytest.mark.parametrize("known", [[5000, 50_000], [None]])
def test_no_time_is_said_where_the_number_of_images_is_not_one(known, recorded):
    rows = counted_rows()
    classes = replace(rows[0].entry.protocol, classes=("a", "b"))
    for number, images in enumerate(known):
        entry = replace(rows[number].entry, images=images, protocol=classes)
        rows[number] = make_row(entry, rows[number].record)
    assert times(rows, recorded) == []


def test_a_damaged_benchmark_record_is_an_error(recorded):
    (recorded / "bench" / f"{JUDGED[0]}.json").write_text("{")
    with pytest.raises(RecordError):
        costs(counted_rows(), recorded, "b")


def test_the_download_is_four_bytes_for_each_counted_parameter(tmp_path):
    rows = counted_rows()
    params = sum(row.record.counts.params for row in rows)
    text = costs(rows, tmp_path, "b")
    assert text == (
        f"- Download: 8 checkpoint files of {4 * params / 1e9:.2f}&nbsp;GB in total, if each parameter "
        "takes 4 bytes."
    )
    uncounted = [make_row(row.entry, Record("openmmlab", row.entry.name)) for row in rows]
    assert costs(uncounted, tmp_path, "b") == text, "the claims, corrected, are nearly the counts"


def test_the_sizes_of_files_that_were_there_are_exact(tmp_path):
    (row, *others) = counted_rows({JUDGED[0]: (37705, 46500)})
    assert costs([row], tmp_path, "b") == "- Download: 1 checkpoint file of 5&nbsp;B."
    assert "if each parameter takes 4 bytes" in costs([row, *others], tmp_path, "b")


def test_a_file_is_downloaded_once(tmp_path):
    rows = counted_rows()
    twice = [rows[0], *with_entries(rows[1:2], urls=rows[0].entry.urls)]
    assert costs(twice, tmp_path, "b").startswith("- Download: 1 checkpoint file of ")


def test_files_of_this_machine_and_unknown_sizes_are_not_said(tmp_path):
    rows = counted_rows()
    assert costs(with_entries(rows, urls=("file:///a.pth",)), tmp_path, "b") == ""
    claims = replace(rows[0].entry.claims, params_m=None)
    unknown = make_row(replace(rows[0].entry, claims=claims), Record("zoo", rows[0].entry.name))
    assert costs([unknown, *rows[1:]], tmp_path, "b") == ""
    claimed = replace(claims, params_m=Reported("1.5"))
    known = make_row(replace(rows[0].entry, claims=claimed), Record("zoo", rows[0].entry.name))
    assert costs([known], tmp_path, "b").startswith(
        "- Download: 1 checkpoint file of 6.00&nbsp;MB, if"
    )
