"""``vanbench.count``: the counts of the command, as an object."""

import json

import pytest

import vanbench
from tests.support.command_line import run
from vanbench.api.counting import FRAME, Counted
from vanbench.errors import UnknownModelError, VanbenchError
from vanbench.flops import count as count_architecture
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.zoo.reader import load_zoo


def test_the_counts_are_those_of_the_command():
    document = json.loads(run("flops", "--all", "--zoo", "demo", "--json").stdout)
    assert document == json.loads(json.dumps(vanbench.count("all", zoo="demo").to_json()))


def test_the_frame_has_exact_integers():
    frame = vanbench.count(["van_nano", "van_micro"], zoo="demo", resolution=64).to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    for entry in load_zoo("demo").entries:
        row = frame.loc[entry.name]
        flops = expected_flops(entry.architecture, 64)
        assert (row["params"], row["params_backbone"]) == expected_params(entry.architecture)
        assert (row["flops_openmmlab"], row["flops_fvcore"]) == (
            flops["openmmlab"],
            flops["fvcore"],
        )
        assert (row["resolution"], row["flops_reported_resolution"]) == (64, 32)


def test_a_misprint_is_explained():
    """Counted at the smallest side; the misprint is about 224."""
    counted = vanbench.count("VAN-B6", resolution=32)
    text = repr(counted)
    assert "Misprint, van_b6.in21k: 283.9 M and 55.28 G are the counts" in text
    assert "With embed dims 96 192 480 768: 283.90 M parameters" in text
    assert counted.to_frame().loc["van_b6.in21k", "misprint"].startswith("283.9 M")


def test_a_model_that_fails_is_a_row():
    entries = load_zoo("demo").entries
    counts = {entries[0].name: count_architecture(entries[0].architecture, 32)}
    counted = Counted(entries, counts, {entries[1].name: VanbenchError("<no> memory")})
    frame = counted.to_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == FRAME
    assert frame["params"].isna().tolist() == [False, True]
    assert counted.to_json()["models"][1]["reason"] == "<no> memory."
    assert "○ not measured" in repr(counted)
    assert "van_micro.digits: &lt;no&gt; memory." in counted._repr_html_()


@pytest.mark.parametrize(
    ("models", "resolution", "error", "message"),
    [
        ("van_b0", 31, ValueError, "resolution: expected a number from 32 to 4,096, found 31"),
        ("van_b6", 4096, ValueError, "resolution: van_b6.in21k is too large"),
        ("van_b7", None, UnknownModelError, "no model 'van_b7'"),
    ],
)
def test_wrong_arguments(models, resolution, error, message):
    with pytest.raises(error, match=message):
        vanbench.count(models, resolution=resolution)
