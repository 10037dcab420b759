"""``vanbench.validate``: the accuracies of the command, as an object."""

import json

import pytest

import vanbench
from tests.api.conftest import OFFLINE
from tests.support.command_line import demo_checkpoint, run
from vanbench.api.validating import FRAME


def same(documents):
    """The documents of models without their speed, which is another one each time."""
    return [{**json.loads(json.dumps(model)), "images_per_s": None} for model in documents]


def test_validate_finds_what_the_command_finds(folder, tmp_path):
    found = vanbench.validate("all", cache=folder / "c", results=tmp_path, limit=30, **OFFLINE)
    outcome = run(
        "validate", "--all", "--zoo", "demo", "--cache", folder / "c", "--results", tmp_path,
        "--limit", 30, "--workers", 0, "--device", "cpu", "--json",
    )  # fmt: skip
    document, expected = json.loads(outcome.stdout), found.to_json()
    assert same(document["models"]) == same(expected["models"])
    assert document["data"] == json.loads(json.dumps(expected["data"]))
    assert document["schema"] == expected["schema"]


def test_a_file_of_ones_own(tmp_path):
    found = vanbench.validate(
        checkpoint=demo_checkpoint(), results=tmp_path, limit=20, precision="bf16", **OFFLINE
    )
    frame = found.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    (row,) = frame.itertuples()
    assert row.Index == demo_checkpoint().name
    assert row.top1_percent == 100 * row.correct1 / 20
    assert row.top1_percent_ci95_low < row.top1_percent <= row.top1_percent_ci95_high
    assert row.partial
    assert found.passes[row.Index].numerics.precision == "bf16"
    assert "20 of 360 images (partial)" in repr(found)
    assert "◐" in repr(found)


def test_decoded_images_are_kept_and_read(tmp_path):
    for read in (0, 12):
        found = vanbench.validate(
            "van_nano",
            results=tmp_path,
            limit=12,
            cache_images=str(tmp_path / "crops"),
            fresh=True,
            **OFFLINE,
        )
        assert found.passes["van_nano.digits"].cache.read == read
    assert "12 of 12 images came from the cache of decoded images" in repr(found)


def test_what_the_command_says_of_options_is_said_of_arguments(tmp_path):
    for _ in range(2):
        found = vanbench.validate("van_nano", results=tmp_path, limit=12, **OFFLINE)
    assert "not computed again. Use fresh=True to compute them again." in repr(found)
    assert "--" not in repr(found)
    assert "Use fresh=True to compute" in found._repr_html_()


def test_a_model_that_fails_is_in_the_object(tmp_path):
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><title>Moved</title>")
    found = vanbench.validate(checkpoint=page, results=tmp_path, limit=5, **OFFLINE)
    assert found.errors.keys() == {"page.pth"}
    frame = found.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    assert frame.loc["page.pth", "status"] == "unreadable"
    assert frame["top1_percent"].isna().all()
    assert "○ unreadable" in repr(found)
    assert "page.pth" in found._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected models or a checkpoint, and not both"),
        ({"models": "van_b0", "checkpoint": "x.pth"}, "and not both"),
        ({"models": "van_b0"}, "data: expected a validation set; the zoo 'openmmlab' has none"),
        ({"models": "van_nano", "zoo": "demo", "precision": "fp8"}, "precision: expected one of"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        vanbench.validate(**arguments)
