"""The layers of CONTRIBUTING.md hold: imports go downward only, and what shows never needs torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vanbench
from vanbench.cli.group import COMMANDS

PACKAGE = Path(vanbench.__file__).parent
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
WITHOUT_TORCH = ("cli", "zoo", "report", "html_report", "download", "evidence", "errors", "progress",
                 "files", "file_types", "intervals", "conventions", "typed_json", "devices", "environment")  # fmt: skip


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of CONTRIBUTING.md, without its header."""
    section = CONTRIBUTING.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def layers() -> dict[str, int]:
    """The height of the layer of each module or package directly in ``vanbench``."""
    rows = table("Layers")
    units = [re.findall(r"`(\w+)`", cells[1]) for cells in rows]
    assert all(units), "each layer of CONTRIBUTING.md names its modules in backquotes"
    listed = [name for row in units for name in row]
    assert len(listed) == len(set(listed)), "a module is in two layers"
    return {name: len(rows) - i for i, row in enumerate(units) for name in row}


def modules() -> dict[str, Path]:
    """Dotted name of each module of the package → its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(name: str, path: Path) -> set[str]:
    """The package's modules that a file imports: at its top, in functions, for type checking."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = name.split(".")[: -node.level if path.stem != "__init__" else None]
                base = ".".join([*parent, base]).rstrip(".")
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {target for target in found if target in modules() and target != "vanbench"}


def unit(name: str) -> str:
    """The module or package directly in ``vanbench`` that a module is, or is in."""
    return name.split(".")[1]


def is_root(name: str) -> bool:
    """``vanbench`` itself and ``vanbench.__main__``, which are above all layers."""
    return name in ("vanbench", "vanbench.__main__")


def test_every_module_is_in_a_layer_and_every_layer_has_modules():
    found = {unit(name) for name in modules() if not is_root(name)}
    assert found == layers().keys()


def violations(graph: dict[str, set[str]], height: dict[str, int]) -> list[str]:
    """The imports that do not go to a lower layer, or stay within their own package."""
    return [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in sorted(targets)
        if unit(name) != unit(target) and height[unit(target)] >= height[unit(name)]
    ]


def graph() -> dict[str, set[str]]:
    return {n: imports(n, path) - {n} for n, path in modules().items() if not is_root(n)}


def test_imports_go_to_lower_layers_only():
    assert violations(graph(), layers()) == []


def test_an_upward_import_would_be_found(tmp_path):
    """Inside a function, under TYPE_CHECKING and in either form."""
    path = tmp_path / "entries.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from vanbench.report.rows import ModelRow\n"
        "def f():\n    import vanbench.download.cache\n    from vanbench import flops\n"
    )
    found = imports("vanbench.zoo.entries", path)
    assert {"vanbench.report.rows", "vanbench.download.cache", "vanbench.flops"} <= found
    assert len(violations({"vanbench.zoo.entries": found}, layers())) >= 3


def test_no_module_imports_itself_by_a_detour():
    edges = graph()
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for target in edges[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def test_no_module_has_the_name_of_a_public_function():
    """Importing such a module would replace the function."""
    exported = set(vanbench.__all__)
    assert not exported & {unit(name) for name in modules() if not is_root(name)}


def test_to_change_x_open_y_names_files_that_exist():
    paths = [re.findall(r"`([\w./]+)`", cells[1]) for cells in table("To change X, open Y")]
    assert len(paths) >= 10
    for found in paths:
        assert len(found) == 1, "one file answers one question"
        assert (PACKAGE.parent / found[0]).is_file(), found[0]


def heavy_after(statement: str) -> str:
    code = f"import sys\n{statement}\nprint(sorted({{'torch', 'pandas'}} & sys.modules.keys()))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]


def test_the_showing_half_never_imports_torch():
    names = [n for n in modules() if not is_root(n) and unit(n) in WITHOUT_TORCH]
    assert heavy_after("\n".join(f"import {name}" for name in names)) == "[]"


@pytest.mark.parametrize(
    "command",
    [["--help"], ["list"], ["table"], ["report", "--help"], ["verify", "--help"], ["audit"]],
)
def test_quick_commands_never_import_torch(command):
    run = f"from vanbench.cli.group import main\ntry: main({command!r})\nexcept SystemExit: pass"
    assert heavy_after(run) == "[]"


def test_every_command_has_a_module():
    for module in COMMANDS.values():
        assert f"vanbench.cli.commands.{module}" in modules()


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


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_every_module_can_be_imported_first():
    """Each in a fork of a process that has imported the libraries and none of the package."""
    names = [name for name in modules() if name != "vanbench.__main__"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIRST, *names], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr
