"""``vanbench diagnose``."""

import json

import pytest

from tests.support.command_line import run
from tests.support.terminal import split_tokens, too_wide
from vanbench.diagnosis.trial import AS_IS
from vanbench.zoo.reader import load_zoo


def command(*args, code=0):
    return run("diagnose", *args, "--workers", 0, "--device", "cpu", code=code)


def test_the_command_prints_one_document():
    args = ("van_nano", "--zoo", "demo", "--sample", "40", "--observed", "87.22", "--json")
    diagnosis = json.loads(command(*args).stdout)["diagnosis"]
    assert (diagnosis["name"], diagnosis["target"]) == ("van_nano.digits", 87.22)
    assert (diagnosis["images"], diagnosis["total"], diagnosis["anchored"]) == (40, 360, True)
    assert AS_IS in [e["name"] for e in diagnosis["explanations"]]


def test_the_command_shows_a_table_and_the_conclusion():
    output = command("van_nano", "--zoo", "demo", "--sample", "20").stdout
    assert "What gives 95.83? 20 of 360 images" in output
    assert "no effect on these images" in output
    assert "Not tried: averaged (EMA) weights" in output
    assert output.startswith("No mistake is needed: the protocol as it is fits 95.83.")
    last = output.splitlines()[-1]
    assert last == "Next: vanbench diagnose van_nano.digits --sample 80 --zoo demo"


def test_where_one_explanation_is_left_the_next_command_checks_the_numbers():
    output = command("van_nano", "--zoo", "demo").stdout
    assert output.startswith("No mistake is needed: the protocol as it is gives 95.83.")
    assert output.splitlines()[-1] == "Next: vanbench verify van_nano.digits --zoo demo"


@pytest.mark.parametrize(("columns"), [60, 80, 120])
def test_the_table_fits(columns, monkeypatch):
    arguments = ("van_nano", "--zoo", "demo", "--sample", "20", "--observed", "87.22")
    wide = command(*arguments).stdout
    monkeypatch.setattr("vanbench.cli.output.width_of", lambda stream: columns)
    narrow = command(*arguments).stdout
    assert split_tokens(narrow, wide) == set()
    assert too_wide(narrow, columns) == []


def test_the_command_refuses_what_it_cannot_use():
    assert "such as 72.03" in command("van_nano", "--zoo", "demo", "--observed", "x", code=2).output
    assert (
        "from 0 to 100" in command("van_nano", "--zoo", "demo", "--observed", "720", code=2).output
    )
    assert "Give --data" in command("van_b0", code=2).output


def test_a_broken_image_stops_it_or_counts_as_wrong(tmp_path):
    source = load_zoo("demo").data
    for path in sorted(source.rglob("*.jpg"))[::60]:
        copy = tmp_path / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    copy.write_bytes(path.read_bytes()[:200])
    args = ("van_nano", "--zoo", "demo", "--data", str(tmp_path), "--json")
    assert f"{copy.name} cannot be used" in command(*args, code=3).output
    found = json.loads(command(*args, "--on-error", "count-wrong").stdout)["diagnosis"]
    assert found["images"] == 6
    assert all(e["correct"] <= 5 for e in found["explanations"])
