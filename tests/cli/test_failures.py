"""What a failure prints, and its exit code."""

import errno
import subprocess
import sys

import click
import pytest
import torch
from click.testing import CliRunner

from tests.support.command_line import ROOT, run
from vanbench import errors
from vanbench._version import __version__
from vanbench.cli import failures
from vanbench.cli.group import main


@pytest.fixture
def failing_zoo(monkeypatch):
    """Makes ``vanbench list`` raise an exception."""

    def fail_with(error):
        def fail(_):
            raise error

        monkeypatch.setattr("vanbench.cli.options.load_zoo", fail)

    return fail_with


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        AssertionError(),
        KeyError("name"),
        RuntimeError("a\nb"),
    ],
)
def test_an_unexpected_exception_is_70(error, failing_zoo):
    failing_zoo(error)
    outcome = run("list", "--mirror", "x", code=2)  # no such option: still a usage error
    outcome = run("list", code=70)
    first, report, kept = outcome.stderr.splitlines()
    assert first.startswith(f"Internal error: {type(error).__name__}")
    assert f"vanbench {__version__} (command: vanbench list)" in report
    assert "issue tracker" in report
    assert "run it again with -v" in report
    assert kept.startswith("Records and predictions that were already written are kept")
    assert outcome.stdout == ""


def test_verbose_adds_the_traceback_of_an_internal_error(failing_zoo):
    failing_zoo(ZeroDivisionError("division by zero"))
    outcome = CliRunner().invoke(main, ["list", "-v"])
    assert outcome.exit_code == 70
    assert outcome.stderr.startswith("Traceback (most recent call last):")
    assert "in fail\n" in outcome.stderr
    assert "with the traceback above" in outcome.stderr


def test_an_internal_error_does_not_print_the_arguments(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("vanbench.download.obtain.obtain_all", fail)
    outcome = run("download", "van_b0", "--mirror", "http://user:SECRET@host/", code=70)
    assert "SECRET" not in outcome.output


def test_a_bug_while_options_are_read_is_70(monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr("vanbench.cli.group.import_module", fail)
    assert "Internal error: ZeroDivisionError" in run("list", code=70).stderr


def test_the_process_exits_with_70():
    code = (
        "import vanbench.cli.options as options\n"
        "options.load_zoo = lambda name: 1 / 0\n"
        "from vanbench.cli import main\n"
        "main(['list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 70
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.DataError("no images", where="val", remedy="Look."), 3, "Error: val: no images. Look."),
        (errors.ZooError("no key"), 2, "Error: no key."),
        (click.UsageError("not both"), 2, "Error: not both"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.Abort(), 130, "Interrupted."),
        (
            PermissionError(errno.EACCES, "Permission denied", "results/x.json"),
            3,
            "Error: results/x.json: Permission denied. Check the permissions",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "Error: No space left on device. Free"),
        (OSError("odd"), 3, "Error: OSError: odd."),
        (MemoryError(), 3, "Error: Not enough memory (MemoryError). Close other programs"),
        (torch.OutOfMemoryError("CUDA out of memory"), 3, "Error: Not enough memory"),
    ],
)  # fmt: skip
def test_an_expected_failure_is_one_message_and_its_code(error, code, message, failing_zoo):
    failing_zoo(error)
    outcome = run("list", code=code)
    assert message in outcome.stderr
    assert len([line for line in outcome.stderr.splitlines() if line.startswith("Error")]) <= 1
    assert outcome.stdout == ""


def test_every_error_class_has_a_documented_code():
    classes = [c for c in vars(errors).values() if isinstance(c, type)]
    codes = {c.exit_code for c in classes if issubclass(c, errors.VanbenchError)}
    assert codes == {2, 3, 70}


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (["Homepage, https://example.org", "Issues, https://example.org/issues"], " (https://example.org/issues)"),
        (["Bug Tracker, https://example.org/bugs"], " (https://example.org/bugs)"),
        (["Homepage, https://example.org"], ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_issue_tracker_is_the_one_of_the_metadata(links, found, monkeypatch):
    class Metadata:
        def get_all(self, name):
            assert name == "Project-URL"
            return links

    monkeypatch.setattr(failures, "metadata", lambda _: Metadata())
    assert failures._tracker() == found


def test_no_metadata_where_the_package_is_not_installed(monkeypatch):
    def absent(name):
        raise failures.PackageNotFoundError(name)

    monkeypatch.setattr(failures, "metadata", absent)
    assert failures._tracker() == ""
