"""Escape sequences, markup and line ends in files, names and pages have no effect on a terminal."""

import html
import json
import re
import shutil
import warnings

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.support.command_line import DEMO_IMAGES, demo_checkpoint, run
from tests.support.faultserver import FaultServer
from vanbench.cli.group import main

BAD = "\x1b]0;title\x07\x1b[31mred\x9b1m\u202e[bold]"
ESCAPED = r"\x1b]0;title\x07\x1b[31mred\x9b1m\u202e[bold]"


def shown(*arguments, code=0):
    """What a command prints, of which every character must be printable."""
    outcome = run(*arguments, code=code)
    text = outcome.stdout + outcome.stderr
    assert [c for c in text if not (c.isprintable() or c == "\n")] == []
    return text


@pytest.fixture
def hostile(tmp_path):
    """A checkpoint with a tensor of a hostile name."""
    state = torch.load(demo_checkpoint(), weights_only=True)
    state = dict(state.get("state_dict", state))
    state[f"{BAD}\nError: forged"] = torch.zeros(2)
    torch.save(state, tmp_path / "hostile.pth")
    return tmp_path / "hostile.pth"


@pytest.mark.parametrize("command", ["compare-weights", "convert", "validate"])
def test_tensor_names(command, hostile, tmp_path):
    arguments = {
        "compare-weights": [demo_checkpoint(), hostile],
        "convert": [hostile, tmp_path / "out.safetensors"],
        "validate": ["--checkpoint", hostile, "--data", DEMO_IMAGES, "--zoo", "demo"],
    }
    code = 1 if command == "compare-weights" else 3
    text = shown(command, *arguments[command], "--results", tmp_path / "r", code=code)
    assert r"\x1b]0;title" in text
    assert not any(line.startswith("Error: forged") for line in text.splitlines())


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_image_names(extra, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(DEMO_IMAGES, folder)
    first = next(path for path in sorted(folder.iterdir()) if path.is_dir())
    (first / f"{BAD}.png").write_bytes(b"no image")
    (first / f"{BAD}2.png").write_bytes(b"")
    text = shown("data", folder, "--zoo", "demo", *extra, code=1)
    assert "[bold]" in text
    assert "\x1b" not in text


def test_a_folder_and_a_model_and_a_command_that_are_not_there(tmp_path):
    for arguments, code in (
        (("data", tmp_path / BAD), 3),
        (("flops", BAD), 2),
        ((BAD,), 2),
        (("list", "--zoo", BAD), 2),
        (("verify", "van_b0", "--device", BAD), 2),
        (("diagnose", "van_b0", "--observed", BAD), 2),
        (("import", tmp_path / BAD), 3),
    ):
        text = shown(*arguments, code=code)
        assert r"\x1b]0;title\x07" in text or r"\\x1b]0;title\\x07" in text, arguments


def test_a_path_with_a_line_end_forges_no_line(tmp_path):
    path = tmp_path / "a\nError: forged"
    text = shown("compare-weights", path, demo_checkpoint(), code=3)
    assert r"a\nError: forged" in text


def test_predictions_of_hostile_names(tmp_path):
    folder = tmp_path / "set"
    for digit in range(10):
        (folder / f"digit-{digit}").mkdir(parents=True)
        picture = Image.new("L", (36, 36), digit)
        picture.save(folder / f"digit-{digit}" / f"{BAD}{digit}.png")
    common = ["--zoo", "demo", "--results", tmp_path, "--workers", 0, "--data", folder]
    arguments = ["validate", "--all", "--cache", tmp_path / "cache", *common]
    shown(*arguments)
    text = shown("compare", "1", "2", "--results", tmp_path, "--flips", 10, code=1)
    assert ESCAPED in text


TITLES = {
    "image": ("![x](http://host/x.png)", "!\\[x\\](http://host/x.png)"),
    "html": ("&lt;img src=x | a", "&lt;img src=x \\| a"),
    "terminal": (BAD, None),
}


@pytest.mark.parametrize("title", TITLES)
def test_a_page_in_place_of_a_file(title, tmp_path):
    """Its title reaches the terminal and the table as text, and the record as it is."""
    sent, in_table = TITLES[title]
    document = tmp_path / "README.md"
    document.write_text("<!-- vanbench:results:begin -->\n<!-- vanbench:results:end -->\nlast\n")
    with FaultServer() as server:
        page = f"<!DOCTYPE html><title>{sent}</title>".encode()
        zoo = tmp_path / "zoo.toml"
        zoo.write_text(
            'schema = 1\nname = "test"\ntitle = "[red]T[/red]"\nsource = "https://example.org"\n'
            '[models."van_x.in1k"]\narchitecture = "van_b0"\n'
            f'url = "{server.put("/van-00000000.pth", page)}"\nreported = {{ top1 = "75.00" }}\n'
        )
        common = ["--zoo", zoo, "--results", tmp_path / "r", "--cache", tmp_path / "c"]
        printed = shown("download", "--all", *common, code=3)
        printed += shown("verify", "--all", *common, code=3)
    assert printed.count(html.unescape(sent) if in_table else "[bold]") >= 2
    assert "[red]T[/red]" in shown("list", *common)
    record = json.loads(next((tmp_path / "r").rglob("van_x.in1k.json")).read_text())
    if in_table:
        assert html.unescape(sent) in record["checkpoint"]["reason"]
    for _ in range(2):
        shown("table", "--write", document, *common)
    text = document.read_text()
    assert text.count("<!-- vanbench:results:end -->") == 1
    assert text.endswith("<!-- vanbench:results:end -->\nlast\n")
    assert (in_table or r"\[bold\]") in text
    figures = re.findall(r"!\[[^\]]*\]\([^)]*\)?", text)
    assert all(figure.endswith("(r/test/counts.svg)") for figure in figures)
    assert text.count("![") == len(figures)
    assert "<img" not in text
    shown("table", "--check", document, *common)


@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_exceptions_and_warnings(verbose, monkeypatch):
    def fail(_):
        warnings.warn(BAD, stacklevel=1)
        raise RuntimeError(f"{BAD}\nsecond")

    monkeypatch.setattr("vanbench.cli.options.load_zoo", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        outcome = CliRunner().invoke(main, ["list", *verbose])
    assert outcome.exit_code == 70
    assert outcome.stderr.count(ESCAPED) >= 1
    assert [c for c in outcome.output if not (c.isprintable() or c == "\n")] == []
    assert ("Traceback" in outcome.stderr) == bool(verbose)
