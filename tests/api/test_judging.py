"""``vanbench.verify`` and ``vanbench.results``: the numbers of the commands, as objects."""

import json

import pytest

import vanbench
from tests.api.conftest import OFFLINE
from tests.support.command_line import run
from vanbench.api.judging import FRAME, frame_row, judged_view
from vanbench.errors import MissingError, RecordError
from vanbench.report import records
from vanbench.report.rows import make_row
from vanbench.zoo.reader import load_zoo

NAMES = ["van_nano.digits", "van_micro.digits"]


def test_verify_finds_what_the_command_finds(verified, folder):
    outcome = run(
        "verify", "--all", "--zoo", "demo", "--results", folder / "results",
        "--cache", folder / "cache", "--workers", 0, "--device", "cpu", "--json",
    )  # fmt: skip
    assert json.loads(outcome.stdout) == json.loads(json.dumps(verified.to_json()))


def test_results_are_those_of_the_table_command(verified, folder):
    outcome = run("table", "--zoo", "demo", "--results", folder / "results", "--json")
    found = vanbench.results("demo", folder / "results")
    assert json.loads(outcome.stdout) == json.loads(json.dumps(found.to_json()))
    assert found.answer == verified.answer


def test_the_answer(verified):
    assert verified.ok
    assert verified.errors == {}
    assert verified.answer.headline == "REPRODUCED"
    assert [row.entry.name for row in verified.rows] == NAMES
    assert [path.name[:8] for path in verified.paths.values()] == ["van-nano", "van-micr"]


def test_the_frame_has_a_row_per_model_with_fixed_types(verified):
    frame = verified.to_frame()
    assert list(frame.index) == NAMES
    assert frame.index.name == "model"
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    assert list(frame["images"]) == [360, 360]
    assert (frame["verdict"] == "reproduced").all()
    assert frame["params_m"].iloc[0] == 0.099238
    assert (frame["params_m"] - frame["params_m_reported"]).round(9).tolist() == frame[
        "params_m_delta"
    ].round(9).tolist()
    assert (frame["top1_percent_ci95_low"] < frame["top1_percent"]).all()
    assert (frame["top1_percent"] < frame["top1_percent_ci95_high"]).all()


def test_the_frame_of_models_that_were_never_measured_has_the_same_types(tmp_path):
    frame = vanbench.results("openmmlab", tmp_path).to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    assert frame["params_m"].isna().all()
    assert frame.loc["van_b0.in1k", "top1_percent_reported"] == 75.41
    assert frame.loc["van_b0.in1k", "top1_reason"] == "never run"
    assert frame.loc["van_b5.in21k", "top1_verdict"] == "not reported"


def test_every_key_of_a_row_is_a_column(verified):
    assert {key for row in verified.rows for key in frame_row(row)} == {"model", *FRAME}


def test_one_models_failure_is_in_the_object_and_nothing_is_raised(tmp_path):
    found = vanbench.verify(
        ["van_b0", "van_b1"],
        results=tmp_path / "r",
        cache=tmp_path / "c",
        offline=True,
        device="cpu",
    )
    assert not found.ok
    assert found.answer.headline == "INCOMPLETE"
    assert {type(error) for error in found.errors.values()} == {MissingError}
    assert [row.params.verdict for row in found.rows] == ["reproduced", "reproduced"]
    assert [row.top1.verdict for row in found.rows] == ["not measured", "not measured"]
    assert found.paths == {}


def test_a_record_that_was_edited_is_an_error(tmp_path, verified, folder):
    record = tmp_path / "demo/van_nano.digits.json"
    record.parent.mkdir()
    text = (folder / "results/demo/van_nano.digits.json").read_text()
    record.write_text(text.replace('"params": 99238', '"params": 99239'))
    with pytest.raises(RecordError):
        vanbench.results("demo", tmp_path)


def test_text_and_html(verified):
    text, html = repr(verified), verified._repr_html_()
    assert str(verified) == text
    assert text.splitlines()[0] == (
        "REPRODUCED: 8 of 8 published numbers reproduced, 0 deviate; 2 of 2 files verified."
    )
    assert max(map(len, text.splitlines())) <= 100
    assert "✓ 95.833" in text
    assert "<small>reproduced, reported 95.83</small>" in html
    assert html.count("<tr>") == 3


def test_what_is_not_measured_says_what_was_reported():
    entry = load_zoo("demo").find("van_nano")
    record = records.Record("demo", entry.name)
    (cells,) = judged_view([make_row(entry, record)]).rows
    assert [cell.verdict for cell in cells[2:]] == ["not measured"] * 5
    assert cells[4].small == "not measured, reported 95.83"


def test_what_is_measured_in_part_is_partial_and_not_recorded(tmp_path):
    found = vanbench.verify(
        "van-nano", results=tmp_path / "r", cache=tmp_path / "c", limit=20, **OFFLINE
    )
    assert found.to_frame()["top1_verdict"].tolist() == ["partial"]
    assert found.passes[0].data.used == 20
    assert vanbench.results("demo", tmp_path / "r").to_frame()["images"].isna().all()
