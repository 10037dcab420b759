"""Not only Linux: nothing of the package needs what macOS or Windows lack."""

import ast
import configparser
import json
import os
import pickle
import re
import subprocess
import sys

import pytest
import yaml

from tests.support import drawing
from tests.support.command_line import DEMO_IMAGES, ROOT, run
from vanbench.benchmark.system_load import SystemLoad
from vanbench.data.open import open_images
from vanbench.data.preprocess import to_pixels
from vanbench.devices import start_method
from vanbench.diagnosis.mistakes import preprocessings
from vanbench.evaluation import crops
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.reader import load_zoo

MODULES = sorted((ROOT / "vanbench").rglob("*.py"))
MODULES_OF_UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
FUNCTIONS_OF_UNIX = {
    f"os.{name}"
    for name in (
        "chown", "fork", "getegid", "geteuid", "getgid", "getloadavg", "getuid", "killpg", "mkfifo",
        "nice", "posix_fadvise", "sched_getaffinity", "setsid", "statvfs", "sysconf", "uname",
    )
}  # fmt: skip
VALIDATE = ["validate", "van_nano", "--zoo", "demo", "--limit", "12", "--device", "cpu"]


def parsed():
    """(path below the project's folder, all nodes) of each module of the package."""
    for path in MODULES:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        yield path.relative_to(ROOT).as_posix(), nodes


def calls():
    """(where, name of what is called, the call) of each call in the package."""
    for path, nodes in parsed():
        for node in nodes:
            if isinstance(node, ast.Call):
                yield f"{path}:{node.lineno}", ast.unparse(node.func), node


def test_text_files_have_an_encoding():
    """Without one it is the system's: cp1252 on many Windows machines."""
    wrong, found = [], 0
    for where, name, call in calls():
        modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        reads = name.endswith((".read_text", ".write_text")) or name == "open"
        if reads or (name.endswith(".open") and {"r", "w", "a", "x"} & set(modes)):
            found += 1
            binary = any("b" in str(mode) for mode in modes)
            if not binary and "encoding" not in {keyword.arg for keyword in call.keywords}:
                wrong.append(where)
    assert wrong == []
    assert found > 10


def test_what_only_unix_has_is_used_with_a_way_out():
    """Inside of ``try``, or in a module that asks ``hasattr`` first."""
    wrong, found = [], 0
    for path, nodes in parsed():
        tries = [node for node in nodes if isinstance(node, ast.Try)]
        inside = [inner for node in tries for part in node.body for inner in ast.walk(part)]
        text = (ROOT / path).read_text(encoding="utf-8")
        for node in nodes:
            if _needs_unix(node):
                found += 1
                asked = isinstance(node, ast.Attribute) and f'hasattr(os, "{node.attr}")' in text
                if node not in inside and not asked:
                    wrong.append(f"{path}:{node.lineno}")
    assert wrong == []
    assert found > 0


def _needs_unix(node):
    if isinstance(node, ast.Import):
        return bool(MODULES_OF_UNIX & {alias.name for alias in node.names})
    if isinstance(node, ast.ImportFrom):
        return node.module in MODULES_OF_UNIX
    return isinstance(node, ast.Attribute) and ast.unparse(node) in FUNCTIONS_OF_UNIX


def test_what_goes_to_stdout_goes_through_click():
    """So that it is printed in any encoding."""
    assert [where for where, name, _ in calls() if name == "print"] == []


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What these commands print where what only Linux has is missing, and stdout is cp1252."""
    results = tmp_path_factory.mktemp("elsewhere")
    commands = [
        [*VALIDATE, "--workers", "1", "--json", "--results", str(results / "a")],
        ["verify", *VALIDATE[1:], "--workers", "0", "--results", str(results / "b")],
        ["data", "--zoo", "demo"],
        ["list"],
        ["table"],
    ]
    program = [sys.executable, str(ROOT / "tests/support/other_system.py"), json.dumps(commands)]
    done = subprocess.run(
        program, capture_output=True, cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("cp1252")
    *parts, rest = re.split(r"^exit \d+\r?\n", done.stdout.decode("cp1252"), flags=re.M)
    assert rest == ""
    return dict(zip(("validate", "verify", "data", "list", "table"), parts, strict=True))


def test_workers_that_are_spawned_count_the_same(elsewhere, tmp_path):
    here = run(*VALIDATE, "--workers", 0, "--json", "--results", tmp_path)
    counts = ("images", "correct1", "correct5")
    (expected,), (found,) = (
        json.loads(text)["models"] for text in (here.stdout, elsewhere["validate"])
    )
    assert [found[name] for name in counts] == [expected[name] for name in counts]
    assert found["images"] == 12


def test_every_command_prints_in_cp1252(elsewhere):
    assert "4.11 -> 4.106" in elsewhere["table"]
    assert "van_nano.digits" in elsewhere["verify"]
    assert "fingerprint" in elsewhere["data"]
    assert "van_b0.in1k" in elsewhere["list"]


def test_load_without_counters_of_the_system(monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    summary = SystemLoad().summary()
    assert summary.load_average is None
    assert summary.cores >= 1


@pytest.mark.parametrize(
    "lay_out",
    [
        drawing.class_folders, drawing.flat_with_val_txt, drawing.kaggle, drawing.flat_with_devkit,
        drawing.original_tar, drawing.parquet, drawing.webdataset,
    ],
)  # fmt: skip
def test_what_a_worker_gets_can_be_pickled(lay_out, tmp_path):
    """Every layout, also after it was read from."""
    root = lay_out(tmp_path / "set", drawing.pictures(per_class=1, classes=imagenet_1k()[:4]))
    images = open_images(root, imagenet_1k())
    expected = images.read(0)
    assert pickle.loads(pickle.dumps(images)).read(0) == expected


def test_the_ways_of_preprocessing_can_be_pickled():
    protocol = load_zoo("demo").entries[0].protocol
    images = open_images(DEMO_IMAGES, protocol.class_ids)
    ways = [(protocol, to_pixels)]
    ways += [(way.protocol, way.pixels_of) for way in preprocessings(protocol).values()]
    assert len(ways) > 5
    for way, pixels_of in ways:
        samples = crops.CropsOf(images, way, None, pixels_of)
        copy = pickle.loads(pickle.dumps(samples))
        assert (copy[0].pixels == samples[0].pixels).all()


def test_the_start_method_is_not_chosen_for_the_program():
    code = (
        "import multiprocessing as m\n"
        "from vanbench.devices import start_method\n"
        "assert start_method() == m.get_all_start_methods()[0]\n"
        "assert m.get_start_method(allow_none=True) is None\n"
        "m.set_start_method('spawn')\n"
        "assert start_method() == 'spawn'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert start_method() in ("fork", "spawn", "forkserver")


@pytest.mark.parametrize(
    "name", ["a:b.c", "a.b:c", "a/b.c", "a\\b.c", "a.b?", "a.b*", "a<.b", 'a".b']
)
def test_a_records_name_is_a_file_name_everywhere(name, tmp_path):
    text = (
        'schema = 1\nname = "mine"\ntitle = "t"\nsource = "s"\n'
        f"[models.'{name}']\narchitecture = 'van_b0'\nurl = 'https://example.org/x-0123abcd.pth'\n"
    )
    (tmp_path / "zoo.toml").write_text(text, encoding="utf-8")
    assert "a model name of the form" in run("list", "--zoo", tmp_path / "zoo.toml", code=2).stderr


def workflow():
    path = ROOT / ".github/workflows/test.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_runs_on_three_systems_and_every_python():
    matrix = workflow()["jobs"]["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup["options"]["python_requires"] == f">={matrix['python'][0]}"


def test_the_workflow_runs_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    steps = [step.get("run", "") for step in workflow()["jobs"]["test"]["steps"]]
    assert re.search(r"^make test\b", readme, re.M)
    assert any(re.match(r"make test\b", step) for step in steps)


def test_on_windows_the_workflow_does_what_make_test_does():
    """There is no make; the commands are those of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (windows,) = [
        step["run"]
        for step in workflow()["jobs"]["test"]["steps"]
        if step.get("if") == "runner.os == 'Windows'"
    ]
    (options,) = re.findall(r"-m pip install (.*)$", makefile, re.M)
    options = options.replace("$(CONSTRAINTS)", ".ci/constraints.txt").replace("--quiet ", "")
    (pytest_options,) = re.findall(r"^test:.*\n\t\$\(BIN\)/python -m pytest(.*)$", makefile, re.M)
    assert windows.splitlines() == [
        "python -m venv .venv",
        f".venv/Scripts/python -m pip install {options}",
        f".venv/Scripts/python -m pytest{pytest_options}",
    ]


def test_files_are_checked_out_byte_for_byte():
    """Hashes and generated tables would change with line ends."""
    lines = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert "* -text" in lines
