"""``vanbench table``."""

import pytest

from tests.support.command_line import ROOT, run


def test_check_finds_a_stale_readme(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    results = ("--results", ROOT / "results")
    run("table", "--write", readme, *results)
    run("table", "--check", readme, *results)
    text = readme.read_text(encoding="utf-8").replace("75.41", "75.42")
    readme.write_text(text, encoding="utf-8")
    outcome = run("table", "--check", readme, *results, code=1)
    assert f"vanbench table --write {readme}" in outcome.stderr
    assert "+| van_b0.in1k" in outcome.stderr


def test_a_malformed_record_is_one_message(tmp_path):
    record = tmp_path / "openmmlab" / "van_b0.in1k.json"
    record.parent.mkdir()
    record.write_text("{")
    outcome = run("table", "--results", tmp_path, code=3)
    assert str(record) in outcome.stderr


WRONG = {
    "no file": (["--write", "/nowhere/README.md"], "does not exist"),
    "write and check": (["--write", "setup.cfg", "--check", "setup.cfg"], "not both"),
    "no markers": (["--check", "setup.cfg"], "expected one line"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_gets_one_message(case, monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments, message = WRONG[case]
    outcome = run("table", *arguments, code=2)
    assert message in outcome.stderr
    assert outcome.stdout == ""
