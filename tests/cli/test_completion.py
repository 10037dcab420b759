"""What the shell completes: by the process that it starts, and typed into real shells."""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.prediction_store.test_run_names import stored
from tests.support.command_line import ROOT
from tests.support.special_files import named_pipe
from vanbench.cli.completion import COMPLETE
from vanbench.cli.group import COMMANDS, main
from vanbench.prediction_store.store import FILE
from vanbench.zoo.reader import load_zoo, shipped_zoos

OPENMMLAB = [entry.name for entry in load_zoo("openmmlab").entries]
DEMO = ["van_nano.digits", "van_micro.digits"]
BIN = Path(sys.executable).parent


def items(line, shell="bash", **env):
    """What is offered for the last word of a line, as (type, value) pairs; nothing on stderr."""
    words = line.split(" ")
    typed = words[-1] if shell == "fish" else str(len(words) - 1)
    asked = {COMPLETE: f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": typed, **env}
    outcome = CliRunner().invoke(main, [], env=asked)
    assert outcome.stderr == ""
    if shell == "zsh":
        lines = outcome.stdout.rstrip("\n").split("\n")
        return list(zip(lines[::3], lines[1::3], lines[2::3], strict=True))
    return [tuple(line.split(",", 1)) for line in outcome.stdout.splitlines() if line]


def values(line, **env):
    return [value for kind, value in items(line, **env) if kind == "plain"]


def test_commands_and_options():
    assert values("vanbench ") == list(COMMANDS)
    assert values("vanbench verif") == ["verify"]
    assert values("vanbench help verif") == ["verify"]
    assert values("vanbench flops --resol") == ["--resolution"]
    assert values("vanbench flops --by ") == ["operator", "module"]


@pytest.mark.parametrize(
    "command", ["download", "flops", "validate", "verify", "bench", "diagnose", "import ."]
)
def test_models_of_the_zoo_that_is_given(command):
    assert values(f"vanbench {command} ") == OPENMMLAB
    assert values(f"vanbench {command} --zoo demo ") == DEMO
    assert values(f"vanbench {command} ", VANBENCH_ZOO="demo") == DEMO
    assert values(f"vanbench {command} --zoo openmmlab van_b4", VANBENCH_ZOO="demo") == [
        "van_b4.in1k", "van_b4.in21k",
    ]  # fmt: skip


def test_models_in_any_spelling_and_each_once():
    assert values("vanbench flops VAN-B6") == ["van_b6.in21k"]
    assert values("vanbench flops van-t") == ["van-tiny"]
    assert values("vanbench flops van_b5.in21k van_b6.in21k van_b4.in21k van_b") == OPENMMLAB[:5]
    assert values("vanbench flops resnet") == []


def test_bash_splits_at_the_equals_sign():
    """It sends --zoo, = and demo as words of their own."""
    assert values("vanbench flops --zoo = demo van_n") == ["van_nano.digits"]
    assert values("vanbench flops --zoo = dem") == ["demo"]
    assert "demo" in values("vanbench flops --zoo =")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_replace_the_whole_word(shell):
    (found,) = items("vanbench flops --zoo=dem", shell)
    assert found[1].split("\t")[0] == "--zoo=demo"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: with zoo files, other files, and stored runs."""
    monkeypatch.chdir(tmp_path)
    text = shipped_zoos()["demo"].read_text(encoding="utf-8")
    for name in ("mine.toml", "my zoo.toml", "$(reboot).toml", "--x.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "broken.toml").write_text('[models."a.b"]\nurl = = 1\n', encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    named_pipe(tmp_path / "pipe.toml")
    (tmp_path / "results").mkdir()
    stored(tmp_path / "results" / FILE, "van_b0.in1k", "a b.pth", "\x1b[31m\n")
    return tmp_path


def test_zoos_are_shipped_names_and_zoo_files(folder):
    names = [*shipped_zoos(), "all"]
    assert values("vanbench list --zoo ") == [*names, "--x.toml", "broken.toml", "mine.toml"]
    assert values("vanbench list --zoo m") == ["mine.toml"]
    assert items("vanbench list --zoo elsewhere/") == [("file", "elsewhere/")]
    assert values("vanbench flops --zoo mine.toml van_n") == ["van_nano.digits"]


@pytest.mark.parametrize("command", ["compare", "compare 1", "predictions"])
def test_stored_runs(folder, command):
    assert values(f"vanbench {command} ") == ["3", "2", "1", "van_b0.in1k"]
    assert values(f"vanbench {command} van") == ["van_b0.in1k"]
    assert items(f"vanbench {command} before.c") == [("file", "before.c")]
    assert items("vanbench compare --results nowhere ") == [("file", "")]


def test_a_run_has_its_model_as_help(folder):
    assert items("vanbench compare ", "zsh") == [
        ("plain", "3", "\\x1b[31m\\n of 2026-01-01"),
        ("plain", "2", "a b.pth of 2026-01-01"),
        ("plain", "1", "van_b0.in1k of 2026-01-01"),
        ("plain", "van_b0.in1k", "its last run"),
    ]


def test_files_and_folders():
    assert items("vanbench verify --data val") == [("file", "val")]
    assert items("vanbench table --write READ") == [("file", "READ")]
    assert items("vanbench list --cache ca") == [("dir", "ca")]


def damaged(path):
    path.write_bytes(b"no database")


@pytest.mark.parametrize("make", [damaged, named_pipe, Path.mkdir])
def test_nothing_where_the_runs_cannot_be_read(folder, make):
    make(folder / "results2")
    make(folder / FILE)
    assert values("vanbench compare --results . ") == []
    assert values("vanbench compare --results results2 ") == []


@pytest.mark.parametrize("zoo", ["broken.toml", "nowhere", "pipe.toml", ".", "\x1b", "~nobody/x"])
def test_nothing_where_the_zoo_cannot_be_read(folder, zoo):
    assert items(f"vanbench verify --zoo {zoo} van") == []


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"COMP_WORDS": "vanbench verify "},
        {"COMP_WORDS": "vanbench verify ", "COMP_CWORD": "many"},
        {"COMP_WORDS": "vanbench 'verify", "COMP_CWORD": "1"},
        {"COMP_WORDS": "vanbench --zoo demo verify ", "COMP_CWORD": "4"},
        {"COMP_WORDS": "vanbench nothing ", "COMP_CWORD": "2"},
        {"COMP_WORDS": "", "COMP_CWORD": "0"},
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "nosh"])
def test_no_line_prints_an_error(shell, env):
    done = subprocess.run(
        [sys.executable, "-m", "vanbench"], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {COMPLETE: f"{shell}_complete"} | env,
    ) if shell == "bash" else CliRunner().invoke(
        main, [], env={COMPLETE: f"{shell}_complete", "COMP_WORDS": None, "COMP_CWORD": None} | env
    )  # fmt: skip
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def test_the_whole_answer_or_none_when_interrupted(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.cli.completion.load_zoo", interrupt)
    assert items("vanbench verify ") == []


def test_completion_imports_no_torch(folder):
    code = (
        "import os, sys\n"
        "from click.testing import CliRunner\n"
        "from vanbench.cli.group import main\n"
        "for line in ('vanbench ', 'vanbench flops ', 'vanbench compare '):\n"
        f"    env = dict({COMPLETE}='bash_complete', COMP_WORDS=line, COMP_CWORD=str(line.count(' ')))\n"
        "    assert CliRunner().invoke(main, [], env=env).stdout, line\n"
        "sys.exit(bool({'torch', 'pandas', 'requests'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "stty cols 200", 'eval "$(_VANBENCH_COMPLETE=bash_source vanbench)"'),
    "zsh": (
        ["zsh", "-f", "-i"], "stty cols 200; autoload -Uz compinit; compinit -u -D",
        'eval "$(_VANBENCH_COMPLETE=zsh_source vanbench)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "stty cols 200", "_VANBENCH_COMPLETE=fish_source vanbench | source"),
}  # fmt: skip
TYPED = {
    "vanbench verif\t": "vanbench verify ",
    "vanbench flops van_b4.in1\t": "vanbench flops van_b4.in1k ",
    "vanbench verify --zoo demo van_n\t": "vanbench verify --zoo demo van_nano.digits ",
    "vanbench verify --zoo=demo van_n\t": "vanbench verify --zoo=demo van_nano.digits ",
    "vanbench verify --zoo=dem\t": "vanbench verify --zoo=demo ",
    "vanbench compare van_b0\t": "vanbench compare van_b0.in1k ",
    "vanbench list --zoo min\t": "vanbench list --zoo mine.toml ",
    "vanbench data min\t": "vanbench data mine.toml ",
}
"""What is typed → what the line becomes."""


class Terminal:
    """A shell in a terminal."""

    def __init__(self, command, folder):
        pty = pytest.importorskip("pty")
        self.process, self.end = pty.fork()
        if not self.process:
            os.chdir(folder)
            home = {"HOME": str(folder), "TERM": "dumb" if command[0] == "bash" else "xterm"}
            path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
            os.execvpe(command[0], command, os.environ | home | path)

    def type(self, text, expected, seconds=30):
        """What appears after a text was typed, until ``expected`` is in it or time is over."""
        os.write(self.end, text.encode())
        shown, until = "", time.monotonic() + seconds
        while expected not in shown and time.monotonic() < until:
            if select.select([self.end], [], [], 0.1)[0]:
                shown += os.read(self.end, 65536).decode(errors="replace")
                shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown)
        return shown

    def close(self):
        os.close(self.end)
        os.waitpid(self.process, 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_in_a_real_shell(shell, folder):
    """With the line that the documents show; nothing else may be printed."""
    command, prepare, install = SHELLS[shell]
    if not shutil.which(command[0]) or not (BIN / "vanbench").exists():
        pytest.skip(f"no {shell} here")
    terminal = Terminal(command, folder)
    try:
        terminal.type(f"{prepare}\n{install}\necho rea''dy\n", "ready\n")
        for typed, expected in TYPED.items():
            shown = terminal.type(typed, expected)
            assert expected in shown
            assert "Error" not in shown
            terminal.type("\x15echo do''ne\n", "done\n")
    finally:
        terminal.close()
