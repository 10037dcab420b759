"""The sdist and the wheel hold what they must, and what is installed from them works."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta as b; print(b.{}(sys.argv[1]))"
RELATIVE = re.compile(r"\]\((?!https?://|#)[^)]*\)")
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml"}  # where it differs from the package's name


def tracked() -> list[str]:
    """The files under version control."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.split("\0") if (ROOT / name).is_file()]


def build(source: Path, kind: str, out: Path) -> Path:
    """The sdist or wheel of a source folder."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD.format(f"build_{kind}"), str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, so that a build leaves no files there."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    return source


@pytest.fixture(scope="module")
def sdist(source, tmp_path_factory):
    return build(source, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Built from the sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build(next(folder.iterdir()), "wheel", tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_every_file_under_version_control(sdist):
    """So that the tests run from it, those of the repository's own files among them."""
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert set(tracked()) - held == set()


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {name for name in tracked() if name.startswith("vanbench/")}
    assert held - {"vanbench/_build.json"} == package
    assert "vanbench/py.typed" in held


def metadata_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return archive.read(name).decode()


def test_without_an_address_the_description_has_no_relative_link(wheel):
    metadata = metadata_of(wheel)
    assert "Description-Content-Type: text/markdown" in metadata
    assert "Project-URL" not in metadata
    assert "\n# vanbench\n" in metadata
    assert RELATIVE.findall(metadata) == []


def test_with_an_address_the_links_of_the_description_are_absolute(source, tmp_path):
    """The address is the commented example of setup.cfg, with the comment signs removed."""
    copy = shutil.copytree(source, tmp_path / "source")
    text = (copy / "setup.cfg").read_text(encoding="utf-8")
    setting = re.search(r"^# project_urls =\n(#     .*\n)+", text, re.M)[0]
    text = text.replace(setting, re.sub(r"^# ", "", setting, flags=re.M))
    (copy / "setup.cfg").write_text(text, encoding="utf-8")
    metadata = metadata_of(build(copy, "wheel", tmp_path / "wheel"))
    assert "Project-URL: Issues, https://github.com/OWNER/vanbench/issues" in metadata
    assert "](https://github.com/OWNER/vanbench/blob/HEAD/docs/" in metadata
    assert RELATIVE.findall(metadata) == []


def test_an_installed_wheel_runs_the_demo(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-c",
               "import sys; sys.path.insert(0, 'site'); import vanbench; print(vanbench.__file__);"
               "from vanbench.cli import main; main(['verify', '--all', '--zoo', 'demo'])"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "site" in Path(done.stdout.splitlines()[0]).parts
    assert "REPRODUCED: 8 of 8 published numbers reproduced" in done.stdout


def declared(*extras: str) -> set[str]:
    """The names under which the required packages, and those of the extras, are imported."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    names = [re.split(r"[<>=!~ \[;]", line.strip())[0] for line in lines if line.strip()]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported() -> set[str]:
    """The packages that vanbench imports, other than the standard library and itself."""
    found = set()
    for path in (ROOT / "vanbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"vanbench"}


def test_what_is_imported_is_declared_and_what_is_required_is_imported():
    with_others = {"pydantic_core", "triton"}  # of pydantic; of torch's builds for CUDA
    assert imported() - with_others <= declared("parquet", "figures", "onnx", "openvino")
    assert declared() <= imported()
