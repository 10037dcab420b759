"""Every command at 60, 80 and 120 columns: no name and no number is split, no line is too long."""

import sys

import pytest

from tests.support.command_line import DEMO_IMAGES, demo_checkpoint, run
from tests.support.terminal import run_in_terminal, split_tokens, too_wide

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

DEMO = ("--zoo", "demo")
PUBLISHED = {
    "list": ["list"],
    "table": ["table", "--zoo", "demo"],
    "flops": ["flops", "van_nano", *DEMO],
    "compare-weights": ["compare-weights", demo_checkpoint(), demo_checkpoint()],
    "data": ["data", *DEMO],
    "predictions": ["predictions"],
    "compare": ["compare", "1", "2"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Results with two stored runs."""
    folder = tmp_path_factory.mktemp("place")
    run("validate", "--all", *DEMO, "--data", DEMO_IMAGES, "--workers", 0, "--limit", 40, "-q",
        "--cache", folder / "cache", "--results", folder / "results")  # fmt: skip
    return folder


@pytest.mark.parametrize("command", PUBLISHED)
def test_no_token_is_split_at_any_width(command, place):
    arguments = [*map(str, PUBLISHED[command]), "-q"]  # progress of slow work is in between
    arguments += ["--cache", str(place / "cache"), "--results", str(place / "results")]
    wide = run_in_terminal(arguments, 1000)
    for columns in (60, 80, 120):
        narrow = run_in_terminal(arguments, columns)
        assert split_tokens(narrow, wide) == set()
        if command != "table":  # Markdown is for a file: its lines are as they are
            assert too_wide(narrow, columns) == []


def test_verify_at_80_columns_shows_every_number_and_the_answer(place):
    arguments = ["verify", "--all", "--offline", "--cache", str(place / "cache")]
    text = run_in_terminal([*arguments, "--results", str(place / "results")], 80)
    assert "Not shown" not in text
    assert "INCOMPLETE: 14 of 26 published numbers reproduced, 2 misprints" in text
    assert "! 199.8" in text
    assert text.rstrip().splitlines()[-1].startswith("Next: vanbench verify --all --mirror")
    assert [line for line in too_wide(text, 80) if not line.startswith("Next: ")] == []
