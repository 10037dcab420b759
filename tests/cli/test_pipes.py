"""Output into a pipe whose reader stops early: by real processes, with the shell's ``pipefail``."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.prediction_store.test_run_names import stored
from tests.support.command_line import ROOT, demo_checkpoint
from vanbench.prediction_store.store import FILE

LINES = [
    "--help",
    "verify --help",
    "help bench",
    *(
        line + more
        for line in (
            "list", "table", "predictions", "zoo check openmmlab", f"hash {demo_checkpoint()}",
            f"import {demo_checkpoint().parent} --zoo demo",
            "download --all --zoo demo --offline", "data --zoo demo",
        )
        for more in ("", " --json")
    ),
    "flops van_nano --zoo demo --by module",
]  # fmt: skip
"""The commands that need no torch, and ``flops``; each exits with 0."""

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder whose list of runs is long."""
    folder = tmp_path_factory.mktemp("results")
    stored(folder / FILE, *[f"van_{i}.x" for i in range(300)])
    return folder


def in_shell(line, results, tmp_path):
    """The exit code and stderr of a line of the shell in which ``$V`` is vanbench."""
    env = {"V": f"{sys.executable} -m vanbench", "VANBENCH_RESULTS": str(results),
           "VANBENCH_CACHE": str(tmp_path / "cache"), "VANBENCH_QUIET": "1"}  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | env,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("reader", ["head -1 >/dev/null", "head -0"])
def test_a_reader_that_stops(line, reader, results, tmp_path):
    assert in_shell(f"$V {line} | {reader}", results, tmp_path) == (0, "")


@pytest.mark.parametrize("line", ["list", "list --json", "--help", "table"])
@pytest.mark.parametrize("closing", [">&-", "| true", "2>&1 | true", "2>&- | true"])
def test_stdout_closed_at_once(line, closing, results, tmp_path):
    assert in_shell(f"$V {line} {closing}", results, tmp_path) == (0, "")
