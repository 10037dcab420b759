"""``vanbench table``."""

from xml.etree import ElementTree

import pytest

from tests.support.command_line import ROOT, run
from vanbench.report import markers
from vanbench.report.formats.registry import FORMATS
from vanbench.report.rows import rows_on_record
from vanbench.zoo.reader import load_zoo


def test_check_finds_a_stale_readme(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    results = ("--results", ROOT / "results")
    run("table", "--write", readme, *results)
    run("table", "--check", readme, *results)
    text = readme.read_text(encoding="utf-8").replace("75.41", "75.42")
    readme.write_text(text, encoding="utf-8")
    outcome = run("table", "--check", readme, *results, code=1)
    assert f"{readme}: the Results table is out of date." in outcome.stderr
    assert f"vanbench table --write {readme}" in outcome.stderr
    assert "+| van_b0.in1k" in outcome.stderr


def test_write_keeps_line_ends_and_links(tmp_path):
    target, link = tmp_path / "target.md", tmp_path / "link.md"
    target.write_bytes(f"a\r\n{markers.BEGIN}\r\n{markers.END}\r\nz\r\n".encode())
    link.symlink_to(target)
    outcome = run("table", "--write", link, "--results", ROOT / "results")
    assert outcome.stderr == f"{link}: updated.\n"
    assert link.is_symlink()
    content = target.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 10
    outcome = run("table", "--write", link, "--results", ROOT / "results")
    assert outcome.stderr == f"{link}: already up to date.\n"
    assert target.read_bytes() == content


def test_check_finds_stale_costs(tmp_path):
    readme, results = tmp_path / "README.md", ("--results", ROOT / "results")
    readme.write_text(
        f"{markers.COSTS_BEGIN}\n{markers.COSTS_END}\n{markers.BEGIN}\n{markers.END}\n"
    )
    run("table", "--write", readme, *results)
    run("table", "--check", readme, *results)
    text = readme.read_text(encoding="utf-8")
    assert text.count(" for 5 models × 50,000 images on 2 cores ") == 1
    readme.write_text(text.replace("5 models", "6 models"), encoding="utf-8")
    outcome = run("table", "--check", readme, *results, code=1)
    changed = [line for line in outcome.stderr.splitlines() if line.startswith(("+-", "--"))]
    assert any(line.startswith("+- Time: ") and "5 models" in line for line in changed)


def test_the_figure_of_the_accuracies_appears_when_the_demo_was_measured(tmp_path):
    """From the records that the demo's whole pipeline writes."""
    readme, results = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(f"{markers.BEGIN}\n{markers.END}\n")
    zoo = ("--zoo", "demo", "--results", results)
    run("table", "--write", readme, *zoo)
    assert "counts.svg" in readme.read_text(encoding="utf-8")
    assert "accuracy.svg" not in readme.read_text(encoding="utf-8")
    assert [path.name for path in (results / "demo").iterdir()] == ["counts.svg"]
    run("verify", "--all", *zoo, "--cache", tmp_path / "cache", "--workers", 0, "-q")
    outcome = run("table", "--check", readme, *zoo, code=1)
    figure = results / "demo" / "accuracy.svg"
    assert f"{figure}: the figure is out of date." in outcome.stderr
    run("table", "--write", readme, *zoo)
    assert "](results/demo/accuracy.svg)" in readme.read_text(encoding="utf-8")
    titles = [e.text for e in ElementTree.parse(figure).iter("{http://www.w3.org/2000/svg}title")]
    assert titles.count("van_nano.digits: 95.83") == 2  # reported and measured
    run("table", "--check", readme, *zoo)
    figure.unlink()
    outcome = run("table", "--check", readme, *zoo, code=1)
    assert f"{figure}: the figure is out of date." in outcome.stderr
    assert f"vanbench table --write {readme} --zoo demo --results {results}" in outcome.stderr


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


@pytest.mark.parametrize("name", FORMATS)
def test_another_format_is_whole_on_stdout(name, tmp_path):
    rows = rows_on_record(load_zoo("openmmlab"), tmp_path)
    outcome = run("table", "--format", name, "--results", tmp_path)
    assert outcome.stdout == FORMATS[name].render(rows)
    missing = FORMATS[name].left_out(rows)
    assert all(model in outcome.stderr for model in missing)
    assert bool(missing) == ("not in it" in outcome.stderr)


@pytest.mark.parametrize("other", [["--write"], ["--check"], ["--json"]])
def test_another_format_is_for_stdout_alone(other, tmp_path):
    path = tmp_path / "a.md"
    path.write_text("before")
    arguments = [*other, path] if other != ["--json"] else other
    outcome = run("table", "--format", "junit", *arguments, code=2)
    assert "go with --format markdown alone" in outcome.stderr
    assert path.read_text() == "before"
