"""Closed pipes, and encodings that lack some characters."""

import errno
import io
import os
import subprocess
import sys

import click
import pytest

from tests.support.command_line import ROOT, demo_checkpoint
from vanbench.cli import streams
from vanbench.cli.group import COMMANDS, main
from vanbench.report import bench_records

ARGUMENTS = {
    "list": ["--zoo", "demo"],
    "claims": ["van_b0"],
    "download": ["--all", "--zoo", "demo"],
    "import": [demo_checkpoint().parent, "--zoo", "demo"],
    "flops": ["van_nano", "--zoo", "demo"],
    "validate": ["van_nano", "--zoo", "demo", "--limit", 4, "--workers", 0, "--reference"],
    "verify": ["van_nano", "--zoo", "demo", "--limit", 4, "--workers", 0, "--reference"],
    "bench": ["van_nano", "--zoo", "demo"],
    "data": ["--zoo", "demo"],
    "predictions": [],
    "compare": ["van_nano.digits", "van_nano.digits"],
    "diagnose": ["van_nano", "--zoo", "demo", "--sample", 4, "--workers", 0],
    "compare-models": [],
    "convert": [demo_checkpoint(), "{tmp}/out.safetensors"],
    "export": ["van_nano", "{tmp}/van.onnx", "--zoo", "demo"],
    "compare-weights": [demo_checkpoint(), demo_checkpoint()],
    "table": [],
    "audit": [],
    "report": ["-o", "{tmp}/report.html"],
    "zoo": ["check", ROOT / "vanbench/zoos/demo.toml"],
    "hash": [demo_checkpoint()],
}


def run_into(stream, arguments, monkeypatch):
    """The exit code of the command line with this stdout."""
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments], prog_name="vanbench")
    return ended.value.code


def closed_pipe():
    """A text stream into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w", encoding="utf-8")


@pytest.fixture
def finished_run(tmp_path, monkeypatch):
    """A results folder with stored predictions."""
    arguments = ["validate", *ARGUMENTS["validate"], "--results", tmp_path, "-q"]
    assert run_into(io.StringIO(), arguments, monkeypatch) == 0
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_pipe_is_no_error(name, tmp_path, request, monkeypatch, capfd):
    results = tmp_path
    if name == "bench":  # it prints a record; measuring one takes too long here
        record = bench_records.read(ROOT / "results/bench/van_b0.in1k.json")
        monkeypatch.setattr("vanbench.benchmark.bench.bench", lambda *_: record)
    if name in ("predictions", "compare"):
        results = request.getfixturevalue("finished_run")
    arguments = [str(a).format(tmp=tmp_path) for a in ARGUMENTS[name]]
    common = ["--results", results, "--cache", tmp_path / "cache", "-q"]
    with closed_pipe() as stream:
        assert run_into(stream, [name, *arguments, *common], monkeypatch) == 0
        stream.write("more")  # goes nowhere, as what Python writes at its end
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["verify", "--help"]])
def test_help_into_a_closed_pipe(arguments, monkeypatch):
    with closed_pipe() as stream:
        assert run_into(stream, arguments, monkeypatch) == 0


def test_a_usage_error_keeps_its_code_where_stderr_is_closed(monkeypatch):
    with closed_pipe() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert run_into(io.StringIO(), ["verfiy"], monkeypatch) == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["list --json", "--help"])
def test_piping_into_head(arguments, unbuffered):
    """The exit code is vanbench's, and Python ends in silence."""
    command = f"set -o pipefail; {sys.executable} -m vanbench {arguments} | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_pipe_elsewhere_is_not_taken_for_one(monkeypatch):
    """A worker process that has died gives the same exception."""

    def fail(_):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("vanbench.cli.options.load_zoo", fail)
    assert run_into(io.StringIO(), ["list"], monkeypatch) == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]])
def test_a_full_disk_is_a_failure(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vanbench", *arguments], stdout=full, stderr=subprocess.PIPE,
            cwd=ROOT, text=True,
        )  # fmt: skip
    assert done.returncode == 3
    assert (
        done.stderr
        == "Error: No space left on device. Free disk space, or choose another folder.\n"
    )


def test_broken_streams(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert streams.broken_streams() == []
    with closed_pipe() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert streams.broken_streams() == [stream]
        assert streams.is_closed_pipe(BrokenPipeError(32, "Broken pipe"))
        assert not streams.is_closed_pipe(ValueError())
        streams.discard([stream])
        assert streams.broken_streams() == []
        assert not streams.is_closed_pipe(BrokenPipeError(32, "Broken pipe"))


def test_a_closed_pipe_on_windows(monkeypatch):
    """It is reported as an invalid argument there."""

    class ClosedOnWindows(io.StringIO):
        def flush(self):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(sys, "stdout", ClosedOnWindows())
    assert not streams.is_closed_pipe(OSError(errno.EINVAL, "Invalid argument"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert streams.is_closed_pipe(OSError(errno.EINVAL, "Invalid argument"))
    assert run_into(ClosedOnWindows(), ["list"], monkeypatch) == 0


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "latin-1", "utf-8"])
def test_every_text_can_be_printed(encoding, monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding, newline="\n"))
    text = "→ … ≈ − × ± ✓ ✗ ─ 图 \udcff"
    with streams.printable_streams():
        click.echo(text)
    printed = content.getvalue().decode(encoding)
    if encoding == "utf-8":
        assert printed == text.replace("\udcff", "\\udcff") + "\n"
    else:
        assert printed.startswith("->")
        assert printed.endswith("\\u56fe \\udcff\n")


def test_the_streams_are_as_before(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    with streams.printable_streams():
        assert stream.errors == streams.HANDLER
    assert stream.errors == "strict"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list"], ["flops", "van_b0", "--resolution", "32"], ["table"], ["flops", "-h"]],
)
def test_commands_print_in_any_encoding(arguments, encoding, monkeypatch):
    monkeypatch.chdir(ROOT)
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding)
    assert run_into(stream, arguments, monkeypatch) == 0
    click_writes = "utf-8" if encoding == "ascii" else encoding
    assert len(content.getvalue().decode(click_writes)) > 200


def test_decoding_errors_are_not_handled():
    with pytest.raises(UnicodeDecodeError):
        streams._stand_in(UnicodeDecodeError("ascii", b"\xff", 0, 1, "reason"))


def test_is_unicode():
    assert streams.is_unicode(io.StringIO())
    assert streams.is_unicode(io.TextIOWrapper(io.BytesIO(), "UTF-16"))
    assert not streams.is_unicode(io.TextIOWrapper(io.BytesIO(), "cp1252"))


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_streams_that_the_caller_closed_are_no_error(closed):
    command = f"'{sys.executable}' -m vanbench list {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "rror" not in done.stderr
