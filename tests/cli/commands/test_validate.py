"""``vanbench validate``."""

import json
import socket

import pytest

from tests.support.command_line import DEMO_IMAGES, ROOT, demo_checkpoint, run
from tests.support.terminal import split_tokens, too_wide


def test_without_data_is_a_usage_error():
    outcome = run("validate", "van_b0", code=2)
    assert "Give --data PATH" in outcome.stderr
    assert outcome.stdout == ""


def test_a_file_that_is_no_checkpoint(tmp_path):
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><title>Moved</title>")
    outcome = run("validate", "--zoo", "demo", "--checkpoint", page, "--data", DEMO_IMAGES, code=3)
    assert "page.pth" in outcome.stderr


def test_a_head_of_another_size_is_refused():
    """The demo's ten classes are not ImageNet's thousand."""
    outcome = run("validate", "--checkpoint", demo_checkpoint(), "--data", DEMO_IMAGES, code=3)
    assert "a head of 10 classes" in outcome.stderr


def test_an_empty_folder_is_no_data_set(tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", demo_checkpoint(),
        "--data", tmp_path / "empty", "--results", tmp_path / "results", code=3,
    )  # fmt: skip
    assert str(tmp_path / "empty") in outcome.stderr


def test_a_file_of_ones_own(tmp_path):
    outcome = run(
        "validate", "--zoo", "demo", "--checkpoint", demo_checkpoint(), "--limit", 20, "--json",
        "--results", tmp_path, "--workers", 0,
    )  # fmt: skip
    (model,) = json.loads(outcome.stdout)["models"]
    assert model["images"] == 20
    assert model["correct1"] <= model["correct5"] <= 20
    assert model["top1"] == 100 * model["correct1"] / 20
    low, high = model["ci95"]
    assert 0 <= low <= model["top1"] <= high <= 100


def test_idle_gpus_are_pointed_out_with_the_command_as_it_was_typed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vanbench.evaluation.validate.idle_gpus_note",
        lambda device, arguments, here: f"On {device}: {' '.join(arguments)}",
    )
    typed = [
        "validate", "--zoo", "demo", "--checkpoint", demo_checkpoint(), "--limit", 10,
        "--results", tmp_path, "--workers", 0, "--device", "cpu",
    ]  # fmt: skip
    assert f"On cpu: {' '.join(map(str, typed))}\n" in run(*typed).stderr


ZOO = """
schema = 1
name = "test"
title = "Test"
source = "https://example.org"
counting = {{ num_classes = 10 }}
[protocol]
resize_short_edge = 36
center_crop = 32
classes = {classes}
"""
ENTRY = """
[models."{name}"]
architecture = "van_b0"
url = "{url}"
"""


def zoo_of(path, **urls):
    """A zoo of the demo's classes with a model for each URL."""
    classes = [f"digit-{i}" for i in range(10)]
    entries = "".join(ENTRY.format(name=f"{name}.x", url=url) for name, url in urls.items())
    path.write_text(ZOO.format(classes=classes) + entries)
    return path


def test_every_model_asked_for_is_in_the_document_and_equal_reasons_are_told_once(tmp_path):
    """Two files on a host that refuses connections, and one that is there."""
    with socket.socket() as taken:  # a port without a server
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        zoo = zoo_of(
            tmp_path / "zoo.toml",
            first=f"{host}/first.pth",
            good=demo_checkpoint().as_uri(),
            second=f"{host}/second.pth",
        )
        outcome = run(
            "validate", "--all", "--zoo", zoo, "--data", DEMO_IMAGES, "--limit", 10, "--json",
            "--results", tmp_path, "--cache", tmp_path / "cache", "--workers", 0, code=3,
        )  # fmt: skip
    models = json.loads(outcome.stdout)["models"]
    assert [model["name"] for model in models] == ["first.x", "good.x", "second.x"]
    assert [model["status"] for model in models] == ["unreachable", "measured", "unreachable"]
    assert all(list(model) == list(models[0]) for model in models)
    for failed in (models[0], models[2]):
        assert f"/{failed['name'][:-2]}.pth" in failed["reason"]
        figures = [
            failed[name] for name in failed if name not in ("name", "status", "reason", "error")
        ]
        assert set(figures) == {None}
        assert failed["error"]["message"] == failed["reason"]
    assert (models[1]["images"], models[1]["reason"]) == (10, None)
    (line,) = [line for line in outcome.stderr.splitlines() if line.startswith("Error:")]
    assert line.startswith("Error: first.x, second.x: ")


def test_a_model_that_failed_has_a_row(tmp_path):
    zoo = zoo_of(
        tmp_path / "zoo.toml", first="http://127.0.0.1:9/a.pth", good=demo_checkpoint().as_uri()
    )
    outcome = run(
        "validate", "--all", "--zoo", zoo, "--data", DEMO_IMAGES, "--limit", 10, "--offline",
        "--results", tmp_path, "--cache", tmp_path / "cache", "--workers", 0, code=3,
    )  # fmt: skip
    rows = [line.split() for line in outcome.stdout.splitlines()]
    assert ["first.x", "missing"] in rows
    assert any(row[:1] == ["good.x"] and "10" in row for row in rows)


def test_a_data_set_that_cannot_be_used_is_the_reason_of_every_model(tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = run(
        "validate", "--all", "--zoo", "demo", "--data", tmp_path / "empty", "--json",
        "--results", tmp_path / "results", "--cache", tmp_path / "cache", code=3,
    )  # fmt: skip
    models = json.loads(outcome.stdout)["models"]
    assert [model["status"] for model in models] == ["not measured"] * 2
    assert all("an empty folder" in model["reason"] for model in models)
    assert outcome.stderr.count("Error:") == 1


def test_stored_predictions_that_cannot_be_used_are_the_reason_of_every_model(tmp_path):
    (tmp_path / "predictions.sqlite").write_text("this is no database\n" * 100)
    outcome = run(
        "validate", "--all", "--zoo", "demo", "--limit", 10, "--json",
        "--results", tmp_path, "--cache", tmp_path / "cache", "--workers", 0, code=3,
    )  # fmt: skip
    models = json.loads(outcome.stdout)["models"]
    assert [model["status"] for model in models] == ["not measured"] * 2
    assert all("file is not a database" in model["reason"] for model in models)
    assert outcome.stderr.count("Error:") == 1


def demo(tmp_path, *arguments, **kwargs):
    """The demo zoo, validated."""
    return run("validate", "--all", "--zoo", "demo", "--results", tmp_path, "--workers", 0,
               "--cache", tmp_path / "cache", *arguments, **kwargs)  # fmt: skip


def test_the_answer_of_a_whole_set(tmp_path):
    outcome = demo(tmp_path)
    assert "van_nano.digits   ✓ 95.833  93.24 – 97.46     95.83      +0.003" in outcome.stdout
    said, after = outcome.stdout.splitlines()[-2:]
    assert said == "✓ Top-1 and Top-5 reproduced (van_nano.digits, van_micro.digits)."
    assert after.startswith("Next: vanbench verify --all --zoo demo --cache ")
    assert "images/s on cpu" in outcome.stderr


def test_a_part_of_the_set_reproduces_nothing(tmp_path):
    outcome = demo(tmp_path, "--limit", 20)
    assert "reproduced" not in outcome.stdout
    said, after = outcome.stdout.splitlines()[-2:]
    assert said.startswith("◐ Top-1 and Top-5 partial: over 20 of the 360 images of the data set (")
    assert after.startswith("Next: vanbench validate --all --zoo demo")
    assert "--limit" not in after
    assert "--data" not in after, "the demo's images are found without"
    (nano, _) = json.loads(demo(tmp_path, "--limit", 20, "--json").stdout)["models"]
    assert nano["claims"]["top1"]["verdict"] == "partial"
    assert nano["claims"]["top1"]["reported"] == 95.83
    assert nano["claims"]["top1"]["delta"] == pytest.approx(nano["top1"] - 95.83)


def test_the_next_command_has_the_data_that_was_given(tmp_path):
    images = tmp_path / "my images"
    images.symlink_to(DEMO_IMAGES, target_is_directory=True)
    cases = [(["--limit", 20], "validate --all"), ([], "verify --all")]
    for arguments, command in cases:
        outcome = demo(tmp_path, "--data", images, *arguments)
        expected = f"Next: vanbench {command} --data '{images}' --zoo demo "
        assert outcome.stdout.splitlines()[-1].startswith(expected)
    environment = {"VANBENCH_DATA": str(images)}
    after = demo(tmp_path, "--limit", 20, env=environment).stdout.splitlines()[-1]
    assert after.startswith("Next: vanbench validate --all --zoo demo ")


def test_a_number_that_deviates_is_diagnosed_next(tmp_path):
    source = (ROOT / "vanbench/zoos/demo.toml").read_text(encoding="utf-8")
    zoo = tmp_path / "demo.toml"
    zoo.write_text(source.replace('"95.83"', '"98.00"'), encoding="utf-8")
    outcome = run("validate", "van_nano", "--zoo", zoo, "--results", tmp_path, "--workers", 0,
                  "--mirror", demo_checkpoint().parent, "--cache", tmp_path / "cache",
                  "--data", DEMO_IMAGES)  # fmt: skip
    said, *_, after = outcome.stdout.splitlines()[-3:]
    assert said == "✗ Top-1 deviates (van_nano.digits)."
    assert after.startswith(f"Next: vanbench diagnose van_nano.digits --data {DEMO_IMAGES} ")
    assert "--observed 95.83 " in after


def test_a_file_of_ones_own_has_no_claims(tmp_path):
    outcome = run("validate", "--zoo", "demo", "--checkpoint", demo_checkpoint(), "--results",
                  tmp_path, "--workers", 0)  # fmt: skip
    assert "✓" not in outcome.stdout
    assert outcome.stdout.splitlines()[-1].startswith("Next: vanbench predictions --zoo demo ")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_and_no_token_is_split(columns, tmp_path, monkeypatch):
    wide = demo(tmp_path, "-q").stdout
    monkeypatch.setattr("vanbench.cli.output.width_of", lambda stream: columns)
    narrow = demo(tmp_path, "-q").stdout
    assert split_tokens(narrow, wide) == set()
    assert too_wide(narrow, columns) == []
    table = narrow.split("\n\n")[0]
    assert all(word in table for word in ("Top-1", "interval", "images"))
