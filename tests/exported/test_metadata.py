"""What an exported file says of itself, as texts and back; what is refused."""

import json
from pathlib import Path

import pytest

from tests.support.exporting import PROTOCOL
from tests.support.models import TINY
from vanbench._version import __version__
from vanbench.errors import CheckpointError
from vanbench.exported.metadata import FORMAT, INSIDE, OUTSIDE, as_texts, describe, from_texts
from vanbench.model.architecture import Architecture
from vanbench.zoo.entries import EvaluationProtocol

PATH = Path("van.onnx")
ORIGIN = {
    "model": "mine/van.test",
    "source_file": "van.pth",
    "source_sha256": "ab" * 32,
    "weights": "plain",
    "layer_norm_eps": 1e-6,
}
METADATA = describe(PROTOCOL, TINY, normalization=INSIDE, **ORIGIN)


def changed(**texts):
    return from_texts(as_texts(METADATA) | texts, PATH)


@pytest.mark.parametrize(
    ("protocol", "architecture"),
    [
        (PROTOCOL, TINY),
        (EvaluationProtocol(), Architecture(TINY.embed_dims, TINY.depths)),
        (PROTOCOL, Architecture(TINY.embed_dims, TINY.depths, num_classes=0)),
    ],
    ids=["own classes", "ImageNet", "no head"],
)
def test_texts_and_back(protocol, architecture):
    metadata = describe(protocol, architecture, normalization=OUTSIDE, **ORIGIN)
    assert from_texts(as_texts(metadata), PATH) == metadata


def test_the_texts_can_be_read_by_people_and_programs():
    texts = as_texts(METADATA)
    assert texts["source_sha256"] == "ab" * 32
    assert texts["vanbench_version"] == __version__
    assert texts["preprocessing"] == PROTOCOL.describe()
    assert json.loads(texts["protocol"])["center_crop"] == 32
    assert json.loads(texts["class_ids"]) == list(PROTOCOL.class_ids)
    assert json.loads(texts["format"]) == FORMAT


def test_without_texts_there_are_none():
    assert from_texts({}, PATH) is None


def test_a_key_of_a_newer_version_is_left_out():
    assert changed(novelty="yes") == METADATA


def protocol(**values):
    return json.dumps(json.loads(as_texts(METADATA)["protocol"]) | values)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"format": "2"}, "have format 2, and this version reads 1"),
        ({"format": "true"}, "format"),
        ({"format": "x"}, r"not a readable metadata \(format\)"),
        ({"normalization": "elsewhere"}, "inside or outside, found 'elsewhere'"),
        ({"layer_norm_eps": '"1e-6"'}, "layer_norm_eps"),
        ({"protocol": "{"}, r"not a readable metadata \(protocol\)"),
        ({"protocol": "[" * 1000}, "nested"),
        ({"protocol": protocol(center_crop=1_000_000)}, "key 'center_crop'.*1000000"),
        ({"protocol": protocol(std=[0, 1, 1])}, "key 'std'"),
        ({"protocol": protocol(mean=[1, 2])}, "key 'mean'"),
        ({"protocol": protocol(interpolation="nearest")}, "bicubic, bilinear"),
        ({"protocol": protocol(extra=1)}, "extra"),
        ({"class_ids": '["a", "b"]'}, "class ids of the protocol"),
        ({"architecture": "{}"}, "missing key 'architecture.arch'"),
        ({"source_sha256": "a" * 10_000_001}, "at most 10,000,000 characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_unsound_texts_are_refused(texts, reason):
    with pytest.raises(CheckpointError, match=reason) as failed:
        changed(**texts)
    assert failed.value.where == PATH


def test_a_missing_text_is_refused():
    texts = as_texts(METADATA)
    del texts["weights"]
    with pytest.raises(CheckpointError, match="missing key 'weights'"):
        from_texts(texts, PATH)
