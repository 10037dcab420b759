"""``vanbench validate``."""

import json

from tests.support.command_line import DEMO_IMAGES, demo_checkpoint, run


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
