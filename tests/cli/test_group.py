"""The group of commands: help, names, options that all have, warnings, interruption."""

import logging
import os
import re
import subprocess
import sys
import warnings

import click
import pytest
from click.testing import CliRunner

from tests.support.command_line import ROOT, run
from vanbench._version import __version__
from vanbench.cli.group import COMMANDS, EXIT_CODES, main
from vanbench.errors import SuspiciousWeightsWarning

GROUPS = [name for name in COMMANDS if isinstance(main.get_command(None, name), click.Group)]
LEAVES = {
    **{name: main.get_command(None, name) for name in COMMANDS if name not in GROUPS},
    **{
        f"{name} {inner}": command
        for name in GROUPS
        for inner, command in main.get_command(None, name).commands.items()
    },
}
"""The commands that do something, with the words that call them."""

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_help_with_examples_and_is_in_the_readme(name):
    text = run(*name.split(), "--help").stdout
    assert "Examples:" in text
    assert f"vanbench {name}" in text
    assert f"`vanbench {name}" in README


def test_every_summary_fits_into_80_columns():
    text = run("--help", env={"COLUMNS": "80"}).stdout
    summaries = dict(re.findall(r"^  ([a-z-]+)  +(.+)$", text, re.M))
    assert set(COMMANDS) <= set(summaries)
    for name in COMMANDS:
        assert summaries[name][0].isupper()
        assert summaries[name].endswith(".")
        assert "..." not in summaries[name]
    assert max(map(len, text.splitlines())) <= 80


def test_help_and_readme_agree_on_the_exit_codes():
    codes = re.findall(r"^ +(\d+)  ", EXIT_CODES, re.M)
    assert codes == ["0", "1", "2", "3", "70", "130"]
    assert EXIT_CODES.strip("\b\n").splitlines()[-1] in run("--help").stdout
    paragraph = README[README.index("Exit codes: 0 ") :].split("\n\n")[0]
    assert re.findall(r"(?:Exit codes:|·) (\d+) ", paragraph.replace("\n", " ")) == codes


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_can_be_set_by_environment(name):
    for parameter in LEAVES[name].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.envvar.startswith("VANBENCH_"), parameter.name


def test_every_command_has_the_common_options():
    for name, command in LEAVES.items():
        names = {option for p in command.params for option in p.opts}
        assert {"--zoo", "--cache", "--results", "--json", "-q", "-v"} <= names, name


def test_version():
    assert run("--version").stdout == f"vanbench, version {__version__}\n"


def test_an_unknown_command_is_a_usage_error():
    assert "No such command" in run("verfiy", code=2).stderr


def test_python_m_vanbench_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "vanbench", "--version"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == run("--version").stdout


def test_importing_the_main_module_runs_nothing():
    """A process that multiprocessing starts imports it again under another name."""
    code = "import vanbench.__main__"
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, b"")


def test_help_and_list_do_not_import_torch():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from vanbench.cli.group import COMMANDS, main\n"
        "for arguments in (['--help'], ['list'], ['table'], *([n, '--help'] for n in COMMANDS)):\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == 0, arguments\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_interrupted_is_130(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.cli.options.load_zoo", interrupt)
    assert "Interrupted." in run("list", code=130).stderr


def test_a_warning_for_people_is_one_line(monkeypatch):
    def warn(_):
        warnings.warn("file.pth: all weights are zero.", SuspiciousWeightsWarning, stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.cli.options.load_zoo", warn)
    before = warnings.showwarning
    assert run("list", code=130).stderr.startswith("Warning: file.pth: all weights are zero.\n")
    assert warnings.showwarning is before


def test_no_colour_for_files_and_pipes():
    done = subprocess.run(
        [sys.executable, "-m", "vanbench", "list"], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"FORCE_COLOR": ""},
    )  # fmt: skip
    assert "\x1b" not in done.stdout


def test_a_traceback_only_when_asked():
    assert "Traceback" in CliRunner().invoke(main, ["flops", "van_b9", "-v"]).stderr
    assert "Traceback" not in CliRunner().invoke(main, ["flops", "van_b9"]).stderr


def test_the_log_is_on_stderr_when_asked(monkeypatch):
    def log_and_stop(_):
        logging.getLogger("vanbench.data").info("Pillow: \x1b[31mred")
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.cli.options.load_zoo", log_and_stop)
    log = logging.getLogger("vanbench")
    before = (log.level, list(log.handlers))
    line = "Pillow: \\x1b[31mred\n"
    assert line not in run("list", code=130).stderr
    assert CliRunner().invoke(main, ["list", "-v"]).stderr.startswith(line)
    assert (log.level, list(log.handlers)) == before
