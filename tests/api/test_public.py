"""What ``dir``, ``help``, editors and type checkers see of ``vanbench``."""

import ast
import doctest
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vanbench
from vanbench.cli.group import main

FUNCTIONS = [name for name in vanbench.__all__ if inspect.isfunction(getattr(vanbench, name))]
COMMANDS = {"verify": "verify", "validate": "validate", "bench": "bench", "count": "flops",
            "results": "table", "predictions": "predictions"}  # fmt: skip


def test_dir_shows_the_public_names():
    assert dir(vanbench) == sorted(vanbench.__all__)
    assert {"verify", "count", "results", "create_model"} <= set(dir(vanbench))


def test_the_overview_names_every_function():
    named = set(re.findall(r"^- ``(\w+)\(", vanbench.__doc__, re.M))
    assert named == set(FUNCTIONS)


def test_the_names_that_are_loaded_lazily_are_those_that_type_checkers_see():
    """And each is found where its home says."""
    tree = ast.parse(Path(vanbench.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == vanbench._HOMES
    for name, home in seen.items():
        assert getattr(vanbench, name).__module__ == home


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'verfy'"):
        vanbench.verfy  # noqa: B018


def test_importing_vanbench_and_reading_records_does_not_import_torch():
    code = (
        "import sys, vanbench; dir(vanbench); vanbench.results('demo', 'no-results');"
        "print({'torch', 'pandas', 'click'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_explains_every_argument_what_comes_back_and_what_is_raised(name):
    function = getattr(vanbench, name)
    text = pydoc.plain(pydoc.render_doc(function))
    assert re.search(rf"^    >>> .*{name}\(", text, re.M), "an example"
    arguments = set(inspect.signature(function).parameters)
    named = set(re.findall(r"^ {8}(\w+): ", text, re.M))
    if name == "validate":
        assert "The other arguments are those of ``verify``." in text
        named |= arguments & set(inspect.signature(vanbench.verify).parameters)
    assert named >= arguments, arguments - named
    for part in ("Args:", "Returns:", "Raises:"):
        assert f"    {part}\n" in text


def test_the_examples_in_the_help_are_true(tmp_path, monkeypatch):
    """Those that need no file of one's own; in one folder, so that predictions finds runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    names = {"vanbench": vanbench, "Image": Image}
    names |= {name: getattr(vanbench, name) for name in vanbench.__all__}
    runner, finder = doctest.DocTestRunner(), doctest.DocTestFinder()
    for name in sorted(FUNCTIONS, key=["predictions"].__contains__):
        (example,) = finder.find(names[name], name, globs=names)
        runner.run(example)
    assert runner.failures == 0
    assert runner.tries >= 10


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_and_result_has_a_type(name):
    signature = inspect.signature(getattr(vanbench, name))
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty


def defaults(command: str) -> dict[str, object]:
    """What each option of a command is without being given, by the name of a function's argument."""
    context = main.get_command(None, command).make_context(command, [], resilient_parsing=True)
    return {{"choices": "rewrite"}.get(name, name): value for name, value in context.params.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_arguments_have_the_names_and_defaults_of_the_commands_options(name):
    """What a function has beside them is ``progress``, and the models need no ``--all``."""
    known = defaults(COMMANDS[name])
    for argument in inspect.signature(getattr(vanbench, name)).parameters.values():
        if argument.name not in ("models", "run", "progress"):
            expected = known[argument.name]
            expected = expected.name if isinstance(expected, Path) else expected
            assert argument.default == (expected or argument.default), argument.name
            assert bool(argument.default) == bool(expected), argument.name


def test_the_package_says_that_it_has_types():
    assert (Path(vanbench.__file__).parent / "py.typed").is_file()
