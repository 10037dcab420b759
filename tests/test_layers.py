"""The floors of the house: imports run downward only, and what shows never pulls in torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vanbench
from vanbench.cli.group import COMMANDS

ROOT = Path(vanbench.__file__).parent
SHOWING = ("cli.group", "cli.options", "cli.output", "zoo.reader", "zoo.toml_table", "report.rows", "report.tables",
           "report.markers", "report.records", "report.verdicts", "download.cache", "download.obtain")  # fmt: skip


def modules() -> dict[str, Path]:
    """Dotted name of each module of the package → its file."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT).with_suffix("")
        if "zoos" not in relative.parts:
            found[".".join(("vanbench", *relative.parts)).removesuffix(".__init__")] = path
    return found


def imported(path: Path, *, top_level: bool) -> set[str]:
    """The package's modules that a file imports, at its top or anywhere."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & modules().keys()


def test_no_module_imports_itself_by_a_detour():
    graph = {name: imported(path, top_level=False) - {name} for name, path in modules().items()}
    graph["vanbench"] = set()  # its exports are lazy
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for target in graph[name] - {"vanbench", "vanbench.cli.commands", "vanbench.cli"}:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_nothing_below_imports_a_command():
    for name, path in modules().items():
        if not name.startswith("vanbench.cli") and name != "vanbench.cli.group":
            above = {
                m for m in imported(path, top_level=False) if m.startswith("vanbench.cli.comm")
            }
            assert not above, f"{name} imports {above}"


def heavy_after(statement: str) -> str:
    code = f"import sys\n{statement}\nprint(sorted({{'torch', 'pandas'}} & sys.modules.keys()))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]


def test_the_showing_half_never_imports_torch():
    statement = "\n".join(
        f"import vanbench.{name}"
        for name in (*SHOWING, *(f"cli.commands.{c}" for c in COMMANDS.values()))
    )
    assert heavy_after(statement) == "[]"


@pytest.mark.parametrize("command", [["--help"], ["list"], ["table"], ["verify", "--help"]])
def test_quick_commands_never_import_torch(command):
    run = f"from vanbench.cli.group import main\ntry: main({command!r})\nexcept SystemExit: pass"
    assert heavy_after(run) == "[]"


FIRST = """
import os, sys, torch, torchvision, fvcore.nn, pandas, rich, requests
failed = []
for name in sys.argv[1:]:
    if not (pid := os.fork()):
        __import__(name)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        failed.append(name)
sys.exit(", ".join(failed) or 0)
"""


def test_every_module_can_be_imported_first():
    """Each in a fork of a process that has imported the libraries and none of the package."""
    names = [name for name in modules() if name != "vanbench.__main__"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIRST, *names], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr
