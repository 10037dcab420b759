"""What a type checker says of a user's program."""

import subprocess
import sys

from tests.support.command_line import ROOT

PROGRAM = "tests/api/user_program.py"


def test_a_users_program_has_types():
    """In strict mode; with the cache of ``make lint`` it takes a second."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", PROGRAM],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stderr == ""
    found = [line for line in done.stdout.splitlines() if line.startswith(PROGRAM)]
    assert found == []
