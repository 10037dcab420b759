"""Every command that README.md and docs/*.md show is run, or is in the table of those that are not.

Each page has a copy of the sandbox of its own, in which its commands run in their order.
"""

import importlib.util
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs import sandbox
from tests.docs.blocks import PAGES, all_blocks, typed, whole_lines, words
from tests.support.command_line import ROOT, run

EXIT_CODES = [
    (r"docs/own-model.md: vanbench verify ", 0, "its zoo claims no accuracy"),
    (r".*: vanbench verify (?!.*--limit).*--data /data/", 3,
     "the drawn set is a part of ImageNet, so that the result is partial"),
    (r".*: vanbench hash \*\.pth", 1, "one file has the name of another published file"),
    (r"docs/zoo.md: vanbench zoo check", 1, "the imported page does not say the protocol"),
    (r".*: vanbench compare 1 4", 1, "two models do not agree on all images"),
]  # fmt: skip
"""Exit codes other than 0 for ``PAGE: LINE``, with the reason; the first pattern that fits counts."""

SLOW = [r"vanbench bench "]
"""Commands that take longer than the default suite allows."""

NOT_RUN = [
    (r"make ", "each installs .venv; CI runs them. Checked: the target exists"),
    (r"(python3? -m venv|\. \.venv|pip install|vanbench --version)",
     "installing takes gigabytes: tests/docs/test_literally.py does it"),
    (r"docker ", "needs a Docker daemon. Checked: tests/test_repository_files.py"),
    (r"python -m (tests\.fuzz|benchmarks)", "minutes of work; their modules have tests. Checked: the "
     "module exists"),
    (r"(cd|find) ", "tests/docs/test_data.py runs them"),
    (r"(eval |_VANBENCH_COMPLETE=)", "tests/cli/test_completion.py runs it in real shells"),
    (r"vanbench zoo import https:", "needs the network. The example before it reads a file"),
]  # fmt: skip
"""Commands that are not run here: what they begin with, and why."""


def why_not_run(line: str) -> str | None:
    return next((why for pattern, why in NOT_RUN if re.match(pattern, line)), None)


def is_slow(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in SLOW)


def pages_with(*, slow: bool) -> list[str]:
    return sorted({p for p, line in typed() if not why_not_run(line) and is_slow(line) == slow})


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The sandbox that each page gets a copy of."""
    root = tmp_path_factory.mktemp("sandbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        sandbox.build(root)
        sandbox.prime(root, sandbox.environment(root))
    return root


@pytest.fixture
def folder(template, tmp_path, monkeypatch):
    """A copy of the sandbox, which is the working folder."""
    root = tmp_path / "sandbox"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    return root


def run_page(page: str, folder: Path, *, slow: bool) -> None:
    """Do what a page says, in its order: run commands, write zoo files and, in the guide, Python."""
    for language, content in all_blocks(page):
        if language == "toml":
            zoo = sandbox.with_digits(content, folder)
            (folder / "mine.toml").write_text(zoo, encoding="utf-8")
        elif language == "python" and page == "docs/own-model.md":
            exec(content, {})
        elif language == "sh":
            for line in whole_lines(content):
                if not why_not_run(line) and is_slow(line) == slow:
                    run_line(page, sandbox.with_digits(line, folder), folder)


def run_line(page: str, line: str, folder: Path) -> None:
    if line.startswith("torchrun "):  # the command alone; tests/cli/test_torchrun.py starts several
        line = line.partition(" -m ")[2]
    program, *typed_words = words(line)
    arguments = [found for word in typed_words for found in sandbox.inside(folder, word)]
    if program == "mv":
        shutil.move(*arguments)
        return
    assert program == "vanbench", f"{line}: run it here, or add it to NOT_RUN with a reason"
    for option, value in pairwise(arguments):
        if option == "-o":  # a file of the sandbox, which the reader does not have yet
            (folder / value).unlink(missing_ok=True)
    env = sandbox.environment(folder)
    if arguments[0] != "data":  # whose threads are at least one
        env["VANBENCH_WORKERS"] = "0"
    code = next((c for pattern, c, _ in EXIT_CODES if re.match(pattern, f"{page}: {line}")), 0)
    run(*arguments, code=code, env=env)


@pytest.mark.parametrize("page", pages_with(slow=False))
def test_the_commands_of_a_page_run(page, folder):
    run_page(page, folder, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with(slow=True))
def test_the_slow_commands_of_a_page_run(page, folder):
    run_page(page, folder, slow=True)


def test_what_is_not_run_exists():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for _, line in typed():
        if why_not_run(line) is None:
            continue
        program, *rest = words(line)
        if program == "make":
            assert re.search(rf"^{rest[0]}:", targets, re.M), line
        if program == "python":
            assert importlib.util.find_spec(rest[1]), line


def test_the_tests_that_run_the_others_exist():
    for name in re.findall(r"tests/\S+\.py", " ".join(why for _, why in NOT_RUN)):
        assert (ROOT / name).is_file(), name


def test_every_entry_of_the_tables_is_needed():
    lines = [line for _, line in typed()]
    placed = [f"{page}: {line}" for page, line in typed()]
    assert [p for p, *_ in EXIT_CODES if not any(re.match(p, line) for line in placed)] == []
    patterns = [p for p, *_ in NOT_RUN] + SLOW
    assert [p for p in patterns if not any(re.match(p, line) for line in lines)] == []


def test_other_shells_are_not_used():
    """A block of commands is marked ``sh``, so that these tests find it."""
    for page, text in PAGES.items():
        assert set(re.findall(r"^```(\w*)$", text, re.M)) <= {
            "", "sh", "python", "toml", "text", "yaml", "json",
        }, page  # fmt: skip
