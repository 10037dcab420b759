"""``vanbench export``."""

import json
import shutil

import onnx
import pytest

from tests.support.command_line import DEMO_IMAGES, demo_checkpoint, run
from vanbench.files import sha256_of

DEMO = ("--zoo", "demo")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_answer_says_what_was_written_and_checked():
    lines = run("export", "van_nano", "van.onnx", *DEMO, "-q").stdout.splitlines()
    assert lines[:3] == [
        "File: van.onnx",
        f"SHA-256: {sha256_of('van.onnx')}",
        "ONNX, opset 17, 433 kB.",
    ]
    text = " ".join(lines)
    assert "Input: images, float32 (any, 3, 32, 32). Protocol: EXIF orientation, short" in text
    assert "Normalisation is outside the graph." in text
    assert "Checked: onnxruntime computes the reference's logits from it, with differences" in text
    assert lines[-1] == "Next: vanbench validate --checkpoint van.onnx --data PATH --zoo demo"


def test_the_next_command_works():
    run("export", "van_nano", "van.xml", *DEMO, "-q", "--with-normalization")
    validate = ("validate", "--checkpoint", "van.xml", "--data", DEMO_IMAGES, "--workers", 0)
    document = json.loads(run(*validate, "--json").stdout)  # without the zoo
    assert document["models"][0]["correct1"] == 345


def test_json_of_an_ir():
    arguments = ("export", "van_nano", "van.xml", *DEMO, "--with-normalization", "--json")
    (found,) = json.loads(run(*arguments).stdout)["models"]
    assert found["name"] == "van_nano.digits"
    assert found["files"] == ["van.bin", "van.xml"]
    assert (found["format"], found["opset"]) == ("OpenVINO IR", None)
    assert found["input"] == {"name": "images", "type": "uint8", "shape": [None, 32, 32, 3]}
    assert found["normalization"] == "inside"
    assert found["source_sha256"] == sha256_of(demo_checkpoint())
    assert 0 < found["max_relative_error"] < 5e-5
    assert found["protocol"]["center_crop"] == 32


def test_a_checkpoint_of_one_s_own():
    shutil.copy(demo_checkpoint(), "mine.pth")
    run("export", "--checkpoint", "mine.pth", "mine.onnx", *DEMO)
    texts = {entry.key: entry.value for entry in onnx.load("mine.onnx").metadata_props}
    assert texts["vanbench.source_file"] == "mine.pth"
    assert texts["vanbench.model"] == ""


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("van_nano", "van.pth"), 2, "expected a name that ends in .onnx, or in .xml"),
        (("van_nano", "van"), 2, "expected a name that ends in .onnx, or in .xml"),
        (("van.onnx",), 2, "Give one MODEL of the zoo, or --checkpoint"),
        (("van_nano", "van_micro", "van.onnx"), 2, "Give one MODEL of the zoo, or --checkpoint"),
        (("van_nano", "van.onnx", "--checkpoint", DEMO_IMAGES.parent / "zoo.toml"), 2, "Give one"),
        (("van_none", "van.onnx"), 2, "no model 'van_none'"),
        (("van_*", "van.onnx"), 2, "expected the name of one model"),
        (("van_nano", "none/van.onnx"), 3, "cannot be written: there is no such folder"),
    ],
    ids=str,
)
def test_failures(arguments, code, reason, here):
    arguments = [str(a).replace("zoo.toml", demo_checkpoint().name) for a in arguments]
    outcome = run("export", *arguments, *DEMO, code=code)
    assert reason in " ".join(outcome.stderr.split())
    assert not list(here.glob("van*"))


def test_an_existing_file_is_never_overwritten(here):
    (here / "van.onnx").write_bytes(b"mine")
    outcome = run("export", "van_nano", "van.onnx", *DEMO, code=3)
    assert "van.onnx: expected a new file, found one that exists already" in outcome.stderr
    assert (here / "van.onnx").read_bytes() == b"mine"


def test_a_file_that_is_not_there_is_not_exported(here):
    outcome = run("export", "van_b0", "van.onnx", "--offline", code=3)
    assert "van_b0" in outcome.stderr or "van-tiny" in outcome.stderr
    assert not list(here.glob("van*"))
