"""The files that other programs read: the action, the hook, the citation, workflows, Dockerfile.

What they run is run here with this checkout in place of an installation.
"""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import ROOT
from vanbench._version import __version__

AUTHOR = {"name", "family-names", "given-names"}
BEGIN, END = "<!-- vanbench:results:begin -->", "<!-- vanbench:results:end -->"


def read(name: str):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Another project, with an up-to-date table of the shipped zoo; ``vanbench`` is on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "vanbench"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vanbench "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "results" / "openmmlab", folder / "records" / "openmmlab")
    (folder / "README.md").write_text(f"# Mine\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    done = shell("vanbench table --results records --write README.md")
    assert done.returncode == 0, done.stderr
    return folder


def shell(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A step as the runner of GitHub runs it."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=False
    )


def outdate(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    readme.write_text(text.replace("van_b0", "van_b9"), encoding="utf-8")


needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="the steps are for bash")


@needs_bash
def test_the_action_checks_the_table(project):
    """Its last step, with the inputs of a user; the step before it installs this checkout."""
    action = read("action.yml")
    inputs = {name: value["default"] for name, value in action["inputs"].items()}
    inputs["results"] = "records"
    assert set(inputs) == {"file", "zoo", "results", "python-version"}
    install, check = action["runs"]["steps"][1:]
    assert install["env"] == {"SOURCE": "${{ github.action_path }}"}
    assert [w for w in shlex.split(install["run"]) if "$SOURCE" in w] == [
        "$SOURCE/.ci/constraints.txt", "$SOURCE",
    ]  # fmt: skip
    env = {
        name: re.sub(r"\$\{\{ inputs\.(\S+) \}\}", lambda found: inputs[found[1]], value)
        for name, value in check["env"].items()
    }
    assert shell(check["run"], **env).returncode == 0
    outdate(project / "README.md")
    stale = shell(check["run"], **env)
    assert stale.returncode == 1
    assert "van_b9" in stale.stderr


@needs_bash
def test_the_hook_checks_the_table(project):
    (hook,) = read(".pre-commit-hooks.yaml")
    assert hook["id"] == "vanbench-table-check"
    assert not hook["pass_filenames"]
    command = shlex.join([*shlex.split(hook["entry"]), *hook["args"], "--results", "records"])
    assert shell(command).returncode == 0
    outdate(project / "README.md")
    assert shell(command).returncode == 1
    for name in ("README.md", "records/openmmlab/van_b0.in1k.json", "mine.toml"):
        assert re.search(hook["files"], name)


def test_the_citation_has_what_its_format_requires():
    """Citation File Format 1.2.0; the version and the licence are those of the package."""
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == setup_cfg()["metadata"]["license"]
    for work in (citation, *citation["references"]):
        assert work["type"] in {"software", "article"}
        assert all(author.keys() <= AUTHOR for author in work["authors"])
        assert work["title"]
    assert re.fullmatch(r"10\.\d{4,9}/\S+", citation["references"][0]["doi"])


def test_the_workflow_tests_every_declared_python():
    jobs = read(".github/workflows/test.yml")["jobs"]
    prefix = "Programming Language :: Python :: 3."
    declared = [
        line.removeprefix("Programming Language :: Python :: ")
        for line in setup_cfg()["metadata"]["classifiers"].splitlines()
        if line.startswith(prefix)
    ]
    assert jobs["test"]["strategy"]["matrix"]["python"] == declared
    assert setup_cfg()["options"]["python_requires"] == f">={declared[0]}"


def steps() -> list[str]:
    jobs = read(".github/workflows/test.yml")["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def test_the_workflow_runs_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (?:--directory \S+ )?([a-z]+)", "\n".join(steps()), re.M))
    assert targets >= {"test", "check", "docs", "demo"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


@needs_bash
def test_the_shell_of_every_step_is_valid():
    scripts = steps() + [step["run"] for step in read("action.yml")["runs"]["steps"][1:]]
    for script in scripts:
        plain = re.sub(r"\$\{\{.*?\}\}", "value", script)
        done = subprocess.run(["bash", "-n", "-c", plain], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_forms_of_issues_have_what_github_requires():
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 4
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.name == "config.yml":
            continue
        assert {"name", "description", "body"} <= form.keys()
        ids = [element["id"] for element in form["body"]]
        assert len(ids) == len(set(ids))
        for element in form["body"]:
            assert element["type"] in {"textarea", "input", "markdown"}
            assert element["attributes"]["label"]


def test_what_the_image_copies_exists_and_is_not_ignored():
    """The Dockerfile's instructions, in the order of a build; no Docker is needed."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(\S+)", text, re.M)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert copied == [".", ".ci/constraints.txt"]
    assert all((ROOT / name).exists() for name in copied)
    assert {".git", ".ci", "tools", "vanbench", "setup.py"}.isdisjoint(ignored)
    assert re.search(r"^USER (?!0|root)", text, re.M)
    assert re.search(r'^ENTRYPOINT \["vanbench"\]$', text, re.M)
    (python,) = set(re.findall(r"^FROM python:(\S+)-slim", text, re.M))
    assert python == read("action.yml")["inputs"]["python-version"]["default"]
