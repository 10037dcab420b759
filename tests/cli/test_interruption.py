"""Ctrl-C and SIGTERM in real processes: what is kept, and that the same command continues."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from tests.support.command_line import ROOT, demo_checkpoint, run
from vanbench.prediction_store.store import FILE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

VALIDATE = ["validate", "--zoo", "demo", "--checkpoint", str(demo_checkpoint()), "--reference"]
KEPT = re.compile(
    r"Interrupted\. ([\d,]+) predictions of van-nano_digits\S+\.pth are kept in (\S+)\. "
    r"The same command continues\.\n"
)


def stored(path):
    """How many predictions a database has; 0 where there is none yet."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM predictions").fetchone()[0]
    except sqlite3.OperationalError:  # it is being made
        return 0


def interrupt_in_the_middle(results, number):
    """Start a validation with a worker, signal it with its workers as a terminal does, and wait."""
    arguments = [*VALIDATE, "--results", str(results), "--batch-size", "2", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vanbench", *arguments],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and stored(results / FILE) < 10:
        time.sleep(0.005)
    workers = psutil.Process(process.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert workers, "it was over before the signal"
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert out == ""
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_validation_continues_with_the_same_integers(number, tmp_path):
    code, err = interrupt_in_the_middle(tmp_path, number)
    assert code == 130
    found = KEPT.fullmatch(err)
    assert found, err
    assert found[2] == str(tmp_path / FILE)
    kept = stored(tmp_path / FILE)
    assert 0 <= kept - int(found[1]) <= 2, "a batch may be stored and not yet counted"
    assert kept < 360
    outcome = run(*VALIDATE, "--results", tmp_path, "--workers", 0, "--json")
    assert stored(tmp_path / FILE) == 360
    (model,) = json.loads(outcome.stdout)["models"]
    whole = run(*VALIDATE, "--results", tmp_path / "other", "--workers", 0, "--json")
    (expected,) = json.loads(whole.stdout)["models"]
    counts = ("images", "correct1", "correct5")
    assert [model[key] for key in counts] == [expected[key] for key in counts]
