"""Exported files are validated as checkpoints are: the same choices, image by image."""

import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper

from tests.support.command_line import DEMO, DEMO_IMAGES
from vanbench.checkpoints.load import open_checkpoint
from vanbench.evaluation.models import validate_file
from vanbench.evaluation.plan import RunOptions
from vanbench.exported.write import export
from vanbench.zoo.reader import load_zoo

ZOO = load_zoo("demo")
PROTOCOL = ZOO.entries[0].protocol
OTHER = replace(PROTOCOL, mean=(0.0, 0.0, 0.0), resize_short_edge=64)
"""A protocol that no file of these tests was exported under."""
FILES = ("van.onnx", "pixels.onnx", "van.xml", "pixels.xml")


@pytest.fixture(scope="module", params=[entry.name for entry in ZOO.entries])
def exported(request, tmp_path_factory):
    """A folder with a demo model's checkpoint and its exported files."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copy(DEMO / ZOO.find(request.param).filename, folder / "van.pth")
    checkpoint = open_checkpoint(folder / "van.pth")
    for name in FILES:
        inside = name.startswith("pixels")
        export(checkpoint, folder / name, PROTOCOL, normalization=inside)
    return folder


def validated(path, *, protocol=PROTOCOL, **options):
    """The pass of a file, which must not fail."""
    run = RunOptions(device="cpu", workers=0, **options)
    found = validate_file(path, protocol, DEMO_IMAGES, run)
    assert found.errors == {}
    return found.passes[path.name]


def failure(path, **options):
    """Why a file was not validated."""
    run = RunOptions(device="cpu", workers=0, **options)
    found = validate_file(path, PROTOCOL, DEMO_IMAGES, run)
    assert found.passes == {}
    return found.errors[path.name]


def choices(result):
    """The five first choices of the only model by image."""
    (found,) = result.choices.values()
    return found


def test_every_file_gives_the_checkpoint_s_choices(exported):
    """By the protocol in the file, whatever the zoo at hand says."""
    expected = choices(validated(exported / "van.pth", runtime="reference"))
    assert len(expected) == 360
    for name in FILES:
        result = validated(exported / name, protocol=OTHER)
        assert result.protocol == PROTOCOL
        assert choices(result) == expected
        runtime = "openvino" if name.endswith(".xml") else "onnxruntime"
        assert result.numerics.runtime == runtime
        assert result.numerics.versions[runtime]
    assert choices(validated(exported / "van.onnx", runtime="openvino")) == expected


def test_predictions_are_stored_and_used_again(exported, tmp_path):
    store = tmp_path / "predictions.sqlite"
    first = validated(exported / "van.onnx", store=store)
    again = validated(exported / "van.onnx", store=store)
    assert (first.computed, again.computed) == (360, 0)
    assert again.tallies == first.tallies
    source = validated(exported / "van.pth", store=store, runtime="onnxruntime")
    assert source.computed == 360, "those of the checkpoint are others"
    changed = with_a_changed_weight(exported / "van.onnx", tmp_path / "van.onnx", 1.0)
    assert validated(changed, store=store).computed == 360


def with_a_changed_weight(source: Path, target: Path, amount: float) -> Path:
    """A copy of a file in which one weight of the head is larger by ``amount``."""
    model = onnx.load(source)
    head = next(t for t in model.graph.initializer if t.name == "head.weight")
    values = numpy_helper.to_array(head).copy()
    values[3, 0] += amount
    head.CopyFrom(numpy_helper.from_array(values, head.name))
    target.write_bytes(model.SerializeToString())
    return target


def test_a_changed_weight_is_seen_image_by_image(exported, tmp_path):
    changed = with_a_changed_weight(exported / "van.onnx", tmp_path / "van.onnx", 5.0)
    expected = choices(validated(exported / "van.onnx"))
    found = choices(validated(changed))
    assert found.keys() == expected.keys()
    assert sum(found[image] != expected[image] for image in expected) > 10


def test_a_file_that_others_exported_takes_the_protocol_as_given(exported, tmp_path):
    model = open_checkpoint(exported / "van.pth").model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, 3, 32, 32),), tmp_path / "plain.onnx",
                          dynamo=False)  # fmt: skip
    found = choices(validated(tmp_path / "plain.onnx", limit=60))
    assert found == choices(validated(exported / "van.pth", runtime="reference", limit=60))
    shifted = validated(tmp_path / "plain.onnx", protocol=OTHER, limit=60)
    assert shifted.protocol == OTHER


def test_another_number_of_classes(exported, tmp_path):
    model = onnx.load(exported / "van.onnx")
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        if tensor.name.startswith("head."):
            values = numpy_helper.to_array(tensor)[:7]
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    (tmp_path / "seven.onnx").write_bytes(model.SerializeToString())
    error = failure(tmp_path / "seven.onnx")
    assert "expected a head of 10 classes for Top-1/Top-5, found a head of 7" in str(error)
    assert "--zoo" in error.remedy


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"runtime": "optimized"}, "expected a file that the runtime optimized can run"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, "does not compute in bf16"),
        ({"weights": "ema"}, "expected ema weights, found plain"),
    ],
    ids=str,
)
def test_options_that_an_exported_file_cannot_have(exported, options, reason):
    assert reason in str(failure(exported / "van.onnx", **options))


def test_a_file_that_cannot_be_read_is_a_failure_of_its_own(tmp_path):
    (tmp_path / "van.onnx").write_bytes(os.urandom(1000))
    error = failure(tmp_path / "van.onnx")
    assert error.status == "unreadable"
    assert "expected an ONNX file" in str(error)
