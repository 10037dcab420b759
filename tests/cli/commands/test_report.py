"""``vanbench report``."""

import json
import shutil

import pytest

from tests.support.command_line import ROOT, run


def test_json_names_what_was_written(tmp_path):
    page, figures = tmp_path / "new" / "page.html", tmp_path / "figures"
    outcome = run("report", "-o", page, "--json", "--results", ROOT / "results")
    document = json.loads(outcome.stdout)
    assert document["schema"] == 1
    assert document["models"][0] == {"name": "van_b0.in1k", "verdict": "not measured"}
    assert (document["report"], document["figures"]) == (str(page), [])
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not figures.exists()


def test_figures_are_written_and_named(tmp_path):
    pytest.importorskip("matplotlib")
    figures = tmp_path / "figures"
    outcome = run("report", "-o", tmp_path / "page.html", "--figures", figures, "--json",
                  "--results", tmp_path / "none")  # fmt: skip
    found = json.loads(outcome.stdout)["figures"]
    assert found == [str(path) for path in map(figures.joinpath, (
        "complexity.svg", "complexity.png", "accuracy-params.svg", "accuracy-params.png",
        "accuracy-flops.svg", "accuracy-flops.png"))]  # fmt: skip
    assert sorted(found) == sorted(map(str, figures.iterdir()))


def test_the_default_is_a_page_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run("report")
    assert outcome.stderr == (
        "INCOMPLETE: 0 of 26 published numbers reproduced, 0 deviate, 26 not measured; "
        "0 of 8 files verified.\nreport.html: written. Open it in a browser.\n"
    )
    assert outcome.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_damaged_record_is_one_message_and_the_old_page_stays(tmp_path):
    results = shutil.copytree(ROOT / "results" / "openmmlab", tmp_path / "results" / "openmmlab")
    (results / "van_b2.in1k.json").write_text("[]")
    page = tmp_path / "page.html"
    page.write_text("old")
    outcome = run("report", "-o", page, "--results", results.parent, code=3)
    assert "van_b2.in1k.json: not a readable record" in outcome.stderr
    assert page.read_text() == "old"


def test_a_file_that_cannot_be_written_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    run("report", "-o", tmp_path / "file" / "page.html", code=3)
