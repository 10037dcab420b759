"""What a number was measured on: versions, and the commit of the code however it is installed."""

import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

import vanbench
from tests.test_packaging import build
from vanbench._version import BUILD_NOTE, Commit, commit_of
from vanbench.environment import Environment, cpu_name, environment
from vanbench.typed_json import from_json, to_json

ROOT = Path(vanbench.__file__).parents[1]
BUILD_FILES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in",
               "tools/outside_links.py")  # fmt: skip


def git(folder, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def checkout(tmp_path):
    """A repository that holds a package and, outside it, a record."""
    root = tmp_path / "checkout"
    write(root / "vanbench" / "__init__.py")
    write(root / "results" / "record.json")
    git(tmp_path, "init", "-q", root)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture
def head(checkout):
    return git(checkout, "rev-parse", "HEAD")


def test_in_a_checkout_git_tells(checkout, head):
    assert commit_of(checkout / "vanbench") == Commit(head, dirty=False)


@pytest.mark.parametrize(
    ("path", "dirty"),
    [
        ("vanbench/__init__.py", True),
        ("vanbench/new.py", True),
        ("results/record.json", False),  # what a run writes does not change the code
    ],
)
def test_changes_of_the_package_are_noted(checkout, head, path, dirty):
    write(checkout / path, "changed")
    assert commit_of(checkout / "vanbench") == Commit(head, dirty)


def test_the_repository_around_an_installed_package_is_not_asked(checkout):
    """As with a virtual environment in somebody's checkout."""
    installed = checkout / ".venv" / "site-packages" / "vanbench"
    write(installed / "__init__.py")
    assert commit_of(installed) is None


def test_a_repository_without_commits(tmp_path):
    write(tmp_path / "vanbench" / "__init__.py")
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path / "vanbench") is None


def test_without_git(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert commit_of(checkout / "vanbench") is None


def test_the_variables_that_git_sets_for_a_hook_are_ignored(checkout, head, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert commit_of(checkout / "vanbench") == Commit(head, dirty=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A repository with this project's build files and the least of its package."""
    root = tmp_path_factory.mktemp("source")
    for name in (
        *BUILD_FILES,
        "vanbench/__init__.py",
        "vanbench/_version.py",
        "vanbench/errors.py",
    ):
        write(root / name, (ROOT / name).read_text())
    write(root / ".gitignore", "build/\n*.egg-info/\n__pycache__/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def note_in(archive):
    """The commit that a wheel notes."""
    with zipfile.ZipFile(archive) as wheel:
        if f"vanbench/{BUILD_NOTE}" not in wheel.namelist():
            return None
        return Commit(**json.loads(wheel.read(f"vanbench/{BUILD_NOTE}")))


def test_a_wheel_notes_the_commit_and_whether_files_were_changed(source, tmp_path):
    head = git(source, "rev-parse", "HEAD")
    assert note_in(build(source, "wheel", tmp_path)) == Commit(head, dirty=False)
    assert git(source, "status", "--porcelain") == ""  # the note is not left in the checkout
    write(source / "vanbench" / "new.py")
    assert note_in(build(source, "wheel", tmp_path)) == Commit(head, dirty=True)
    (source / "vanbench" / "new.py").unlink()


def test_a_wheel_from_an_sdist_notes_the_commit_of_the_sdist(source, tmp_path, monkeypatch):
    """Also inside another repository, and without git."""
    sdist = build(source, "sdist", tmp_path)
    git(tmp_path, "init", "-q", "other")
    subprocess.run(["tar", "xf", sdist], cwd=tmp_path / "other", check=True)
    (unpacked,) = (tmp_path / "other").glob("vanbench-*")
    head = Commit(git(source, "rev-parse", "HEAD"), dirty=False)
    assert commit_of(unpacked / "vanbench") == head
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    wheel = build(unpacked, "wheel", tmp_path)
    assert note_in(wheel) == head
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-c", "import vanbench._version as v, pathlib; "
               "print(v.__file__, v.commit_of(pathlib.Path(v.__file__).parent).commit)"]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path / "site", capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert done.stdout.split() == [str(tmp_path / "site/vanbench/_version.py"), head.commit]


def test_a_build_without_git_notes_nothing_and_removes_an_older_note(source, tmp_path, monkeypatch):
    build(source, "wheel", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert note_in(build(source, "wheel", tmp_path)) is None


def test_an_editable_install_asks_git(source, tmp_path):
    assert note_in(build(source, "editable", tmp_path)) is None
    assert not (source / "vanbench" / BUILD_NOTE).exists()
    head = git(source, "rev-parse", "HEAD")
    assert commit_of(source / "vanbench") == Commit(head, dirty=False)


def test_the_environment_of_this_process():
    found = environment(torch.device("cpu"))
    assert found.vanbench == vanbench.__version__
    assert found.torch == torch.__version__.split("+")[0] or found.torch == torch.__version__
    assert (found.device, found.gpu, found.cuda) == ("cpu", None, None)
    code = commit_of(ROOT / "vanbench")
    assert found.commit == (code.commit if code else None)
    assert from_json(Environment, json.dumps(to_json(found))) == found


def test_an_environment_written_before_commits_were_noted_is_read():
    old = to_json(environment(torch.device("cpu")))
    del old["commit"], old["dirty"]
    read = from_json(Environment, json.dumps(old))
    assert (read.commit, read.dirty) == (None, None)


def test_the_processor_has_a_name():
    assert cpu_name() == cpu_name().strip() != ""


@pytest.mark.skipif(sys.platform == "darwin", reason="sysctl is here")
def test_the_processors_name_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert cpu_name() == "unknown"
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert cpu_name() == "arm"


def test_apples_gpu_is_part_of_its_processor():
    """The record names it; nothing else of this test needs an mps device."""
    found = environment(torch.device("mps"))
    assert (found.device, found.gpu, found.cuda) == ("mps", cpu_name(), None)


def test_the_gpu_is_the_one_that_computes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU number {device.index}")
    found = environment(torch.device("cuda:1"))
    assert (found.device, found.gpu, found.cuda) == ("cuda", "GPU number 1", torch.version.cuda)
