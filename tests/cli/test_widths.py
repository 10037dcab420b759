"""What every command shows at 60, 80 and 120 columns and in a pipe: nothing split, nothing too wide.

``snapshots/`` has each output as a user sees it. After a change of what is printed, write the files
again and read the difference::

    WRITE_SNAPSHOTS=1 .venv/bin/python -m pytest -q tests/cli/test_widths.py
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch

from tests.support.command_line import DEMO, ROOT, demo_checkpoint, run
from tests.support.terminal import Screen, run_in_terminal, screen, split_tokens, too_wide
from vanbench.cli.group import main
from vanbench.report import bench_records

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = bool(os.environ.get("WRITE_SNAPSHOTS"))

CASES = {
    "list": "list",
    "download": "download --all --zoo demo",
    "download-missing": "download --all --offline",
    "import": "import downloads --zoo demo",
    "import-nothing": "import downloads",
    "flops": "flops van_b0 van_b6",
    "validate": "validate --all --zoo demo --workers 0",
    "validate-partial": "validate van_nano --zoo demo --workers 0 --limit 40",
    "verify": "verify --all --zoo demo --workers 0",
    "verify-missing": "verify van_b0 van_b6 --offline",
    "verify-details": "verify van_b0 van_b6 --offline --details",
    "bench": "bench van_b0 van_b6",
    "data": "data --zoo demo",
    "predictions": "predictions",
    "predictions-written": "predictions 1 --write run.csv",
    "compare": "compare 1 2 --flips 3",
    "diagnose": "diagnose van_nano --zoo demo --workers 0 --sample 40",
    "convert": "convert my_van.pth my_van.safetensors",
    "export": "export van_nano van.xml --zoo demo --with-normalization",
    "compare-weights": "compare-weights my_van.pth other.pth",
    "claims": "claims van_b6",
    "flops-all": "flops --zoo all van_b6",
    "compare-models": "compare-models",
    "table": "table --zoo demo",
    "report": "report --zoo demo",
    "audit": "audit --results audited --sample 5",
    "zoo-import": "zoo import published.md -o published.toml",
    "zoo-check": "zoo check published-before.toml",
    "hash": "hash my_van.pth downloads/van-nano_digits-02d1f972.pth",
    "help": "help",
    "help-of-a-command": "help hash",
    # Failures
    "unknown-command": "verfy",
    "unknown-model": "flops van_b9",
    "unknown-option": "list --sort",
    "missing-path": "hash nothing.pth",
    "missing-data-set": "data nowhere",
    "broken-checkpoint": "convert broken.pth new.safetensors",
    "broken-zoo": "list --zoo broken.toml",
    "broken-zoo-checked": "zoo check broken.toml",
    "no-data": "validate van_b0",
}
"""Command lines, each run in a folder of its own with the files of ``place``."""

RAISED = {
    "internal-error": ZeroDivisionError("division by zero"),
    "interrupted": KeyboardInterrupt(),
}
"""Failures that no command line gives for certain; ``list`` raises them."""

IN_THE_README = {"table"}
"""Cases whose whole text is in README.md, between its markers: no snapshot is kept here."""

ENVIRONMENTS = {
    60: {"NO_COLOR": "1"},
    80: {},
    120: {"TERM": "dumb"},
    None: {"CI": "true", "GITHUB_ACTIONS": "true"},
}
"""The columns of a terminal, None for a pipe, and in which environment each is shown."""

VARYING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "YYYY-MM-DDThh:mm:ss"),
    (r"\d{4}-\d\d-\d\d", "YYYY-MM-DD"),
    (r"vanbench \d+\.\d+\.\d+[\w.+]*", "vanbench X.Y.Z"),
    (r"at most [\d.e-]+", "at most N"),
    (r"\b[0-9a-f]{64}\b", f"{'0123456789abcdef' * 4}"),
)
"""What differs between two runs or two machines, and what stands for it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with checkpoints, zoo files, and results of three stored runs."""
    folder = tmp_path_factory.mktemp("place")
    shared = ("--zoo", "demo", "--device", "cpu", "--workers", 0, "-q")
    fast = ("--runtime", "optimized")
    run("validate", "--all", *fast, *shared, "--results", folder / "results")
    run("validate", "van_nano", "--reference", *shared, "--results", folder / "results")
    run("verify", "--all", *fast, *shared, "--results", folder / "audited")
    edited = folder / "audited/demo/van_nano.digits.json"
    edited.write_text(edited.read_text().replace('"correct1": 345', '"correct1": 346'))
    (folder / "downloads").mkdir()
    shutil.copy(demo_checkpoint(), folder / "downloads")
    shutil.copy(demo_checkpoint(), folder / "my_van.pth")
    shutil.copy(next(DEMO.glob("van-micro*.pth")), folder / "other.pth")
    (folder / "broken.pth").write_bytes(demo_checkpoint().read_bytes()[:5000])
    shutil.copy(ROOT / "tests/fixtures/zoo/readme.md", folder / "published.md")
    run("zoo", "import", folder / "published.md", "-o", folder / "published-before.toml")
    (folder / "broken.toml").write_text(
        'schema = 1\nname = "mine"\n\n[models."x.y"]\narchitecture = "van_b9"\n'
        'url = "https://example.org/x.pth"\nreported = { params_m = 4 }\n'
    )
    return folder


@pytest.fixture
def show(place, tmp_path, monkeypatch):
    """Shows a command line in a fresh copy of the place, at a number of columns."""
    monkeypatch.setenv("VANBENCH_CACHE", "cache")
    monkeypatch.setenv("VANBENCH_DEVICE", "cpu")
    published = {
        path.name.removesuffix(".json"): bench_records.read(path)
        for path in (ROOT / "results/bench").glob("van_b?.in*k.json")
    }  # measured before: speeds differ each time
    monkeypatch.setattr("vanbench.benchmark.bench.bench", lambda name, *_: published[name])

    def shown(line: str, columns: int | None) -> Screen:
        here = tmp_path / "here"
        shutil.copytree(place, here)
        monkeypatch.chdir(here)
        if line.startswith("v"):  # validate, verify: what a trial would choose, and say, varies
            monkeypatch.setenv("VANBENCH_RUNTIME", "optimized")
        try:
            return screen(shlex.split(line), columns, env=ENVIRONMENTS.get(columns))
        finally:
            monkeypatch.chdir(tmp_path)
            shutil.rmtree(here)

    return shown


@pytest.mark.parametrize("name", CASES)
def test_a_command_at_every_width(name, show):
    check(name, CASES[name], show)


@pytest.mark.parametrize("name", RAISED)
def test_a_raised_failure_at_every_width(name, show, monkeypatch):
    def fail(_):
        raise RAISED[name]

    monkeypatch.setattr("vanbench.cli.options.load_zoo", fail)
    check(name, "list", show)


def check(name, line, show):
    """No token is split, no line is too wide, and what is shown is the snapshot."""
    wide = show(line, 1000)
    screens = {columns: show(line, columns) for columns in ENVIRONMENTS}
    assert {one.code for one in screens.values()} == {wide.code}
    assert "\x1b[3" not in screens[60].stdout, "a colour, in spite of NO_COLOR"
    assert "\x1b" not in screens[None].stdout + screens[None].stderr
    for columns in (60, 80, 120):
        narrow = stable(screens[columns].text)
        assert split_tokens(narrow, stable(wide.text)) == set()
        if name not in IN_THE_README:
            assert too_wide(narrow, columns) == []
    if name in IN_THE_README:
        return
    text, path = snapshot(line, screens), SNAPSHOTS / f"{name}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"see {__name__} for how to write it again"


def snapshot(line: str, screens: dict[int | None, Screen]) -> str:
    """The command, its exit code, and what is shown at each width, without repetition."""
    parts = [f"$ vanbench {line}", f"exit code {screens[80].code}"]
    seen: dict[str, str] = {}
    for title, text in _titled(screens):
        text = stable(text)
        same = seen.setdefault(text, title)
        parts += ["", f"════ {title}{'' if same == title else f': as {same}'}"]
        parts += [text] if same == title else []
    return "\n".join(parts) + "\n"


def _titled(screens: dict[int | None, Screen]) -> Iterator[tuple[str, str]]:
    for columns, one in screens.items():
        if columns:
            yield f"{columns} columns", one.text
        else:
            yield "piped", one.stdout
            if one.stderr:
                yield "stderr", one.stderr


def stable(text: str) -> str:
    """The text without what differs between machines, and without spaces at the ends of lines.

    Where the version of torch is a cell, columns may be as wide as they are.
    """
    text = text.replace(str(ROOT), "…")
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    if torch.__version__ in text:
        text = text.replace(torch.__version__, "X.Y.Z")
        text = re.sub("─+", "─" * 9, re.sub(r"(?<=\S) +", " ", text))
    return "\n".join(map(str.rstrip, text.splitlines()))


def test_every_command_has_a_case():
    """A new command needs a line in CASES."""
    lines = [shlex.split(line) for line in CASES.values()]
    for words in commands():
        assert any(line[: len(words)] == words for line in lines), " ".join(words)


def test_every_snapshot_is_of_a_case():
    wanted = {f"{name}.txt" for name in (CASES.keys() | RAISED) - IN_THE_README}
    assert {path.name for path in SNAPSHOTS.iterdir()} == wanted


def test_failures_of_every_exit_code_have_a_snapshot():
    codes = {path.read_text(encoding="utf-8").splitlines()[1] for path in SNAPSHOTS.iterdir()}
    assert codes == {f"exit code {code}" for code in (0, 1, 2, 3, 70, 130)}


def commands(group: click.Command = main, before: tuple[str, ...] = ()) -> list[list[str]]:
    """The words of every command, from the groups themselves."""
    if not isinstance(group, click.Group):
        return [list(before)]
    context = click.Context(group)
    names = [*group.list_commands(context), *(["help"] if group is main else [])]  # it is hidden
    return [
        words
        for name in names
        if (command := group.get_command(context, name))
        for words in commands(command, (*before, name))
    ]


@pytest.mark.parametrize("words", [[], ["zoo"], *commands()], ids=" ".join)
def test_help_at_every_width(words):
    """docs/cli.md has the texts."""
    wide = screen([*words, "--help"], 1000)
    assert wide.code == 0
    for columns in (60, 80, 120):
        narrow = screen([*words, "--help"], columns)
        assert split_tokens(narrow.text, wide.text) == set()
        assert too_wide(narrow.text, columns) == []
        assert narrow.stdout == narrow.text, "no colours"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_completion_is_the_same_at_every_width(shell):
    texts = {
        screen([], columns, env={"_VANBENCH_COMPLETE": f"{shell}_source"}).stdout
        for columns in (60, 80, 120, None)
    }
    (script,) = texts
    assert "_VANBENCH_COMPLETE" in script
    assert "\x1b" not in script


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"},
                                 {"CI": "true", "GITHUB_ACTIONS": "true"}], ids=str)  # fmt: skip
@pytest.mark.parametrize("line", ["list --zoo demo", "download van_b0 --offline", "flops van_b9"])
def test_the_environment_changes_no_word(line, env, tmp_path, monkeypatch):
    monkeypatch.setenv("VANBENCH_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for columns in (60, 80, 120, None):
        plain, other = (screen(line.split(), columns, env=e) for e in ({}, env))
        assert other.text == plain.text
        assert (other.code, other.stderr) == (plain.code, plain.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("line", "columns"), [("list", 60), ("download --all --offline", 80),
                                               ("zoo check nothing.toml", 120)])  # fmt: skip
def test_a_real_terminal_shows_the_same(line, columns, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VANBENCH_CACHE", "cache")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = [*line.split(), "-q"]
    assert run_in_terminal(words, columns, cwd=tmp_path) == screen(words, columns).text


def test_verify_at_80_columns_shows_every_number_and_the_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VANBENCH_CACHE", "cache")
    text = screen(["verify", "--all", "--offline"], 80).text
    assert "Not shown" not in text
    assert "INCOMPLETE: 14 of 26 published numbers reproduced, 2 misprints" in text
    assert "! 199.8" in text
    assert text.rstrip().splitlines()[-1] == "Next: vanbench verify --all --mirror 'URL|FOLDER'"
    assert too_wide(text, 80) == []
