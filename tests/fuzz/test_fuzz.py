"""A small part of the fuzzing with fixed seeds, and that the fuzzer sees what breaks the rule."""

import os
import subprocess
import sys

import pytest

from tests.fuzz.cases import REFUSED, SAME, VIOLATION, all_kinds
from tests.fuzz.runner import ROOT, keep, run_cases, tally

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of POSIX systems")
EACH = 12


def test_changed_files_are_read_rightly_or_refused(tmp_path):
    cases = [(name, seed) for name in sorted(all_kinds()) for seed in range(EACH)]
    results = list(run_cases(cases, tmp_path))
    assert len(results) == len(cases) > 200
    broken = [r for r in results if r.outcome == VIOLATION]
    text = "\n".join(f"python -m tests.fuzz {r.kind} {r.seed}\n{r.note}" for r in broken)
    assert not broken, text
    assert {r.outcome for r in results} >= {SAME, REFUSED}


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("traceback", "KeyError"),
        ("sleep", "no answer"),
        ("memory", "1.2 GB of memory"),
        ("crash", "ended with -6"),
        ("bug", "internal error"),
        ("long", "a message of 10,000,001 characters"),
        ("answer", "another answer"),
        ("useless", "the valid files give"),
    ],
)
def test_a_reader_that_breaks_the_rule_is_seen(kind, note, tmp_path):
    cases = [(f"broken-{kind}", 0), ("sound", 1)]
    wall = 5 if kind == "sleep" else 40  # with the start of the worker
    first, second = run_cases(cases, tmp_path / "work", jobs=1, wall_seconds=wall)
    assert (first.outcome, second.outcome) == (VIOLATION, REFUSED)
    assert note in first.note
    place = keep(first, tmp_path / "kept")
    assert f"python -m tests.fuzz broken-{kind} 0" in (place / "violation.txt").read_text()
    if kind != "useless":
        assert (place / f"broken-{kind}" / "x").read_bytes() == b"y"
    assert "| all | 2 | 0 | 0 | 1 | 1 |" in tally([first, second])


@pytest.mark.slow
def test_a_reader_that_computes_for_too_long_is_seen(tmp_path):
    (result,) = run_cases([("broken-busy", 0)], tmp_path, jobs=1)
    assert (result.outcome, result.note[:9]) == (VIOLATION, "no answer")


def test_a_case_runs_again_alone():
    command = [sys.executable, "-m", "tests.fuzz", "sound", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:9]) == (0, "refused: ")
