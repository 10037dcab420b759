"""``vanbench verify`` of a model of torchvision, from a server on localhost to the record.

What the model predicts is computed here with torchvision's own preprocessing.
"""

import io
import json

import pytest
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification

from tests.support.arranged import picture, published_name
from tests.support.faultserver import FaultServer
from tests.support.verifying import Shell
from vanbench.flops import count
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.model.torchvision_models import random_torchvision
from vanbench.report.record_files import read
from vanbench.zoo.reader import load_zoo

CLASSES = [f"class-{number}" for number in range(9)]
NAME = "mobilenet_v3_small.mine"
ARCHITECTURE = TorchvisionArchitecture("mobilenet_v3_small", len(CLASSES))
PRESET = ImageClassification(crop_size=64, resize_size=72)
RIGHT, AMONG5, WRONG = 5, 4, 3


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="module")
def model():
    """A network whose answers depend on the image: the statistics are those of some images."""
    model = random_torchvision(ARCHITECTURE).train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.stack([image_input(seed) for seed in range(32)]))
    return model.eval()


def image_input(seed):
    return PRESET(Image.open(io.BytesIO(picture(seed))).convert("RGB"))


@pytest.fixture(scope="module")
def data(model, tmp_path_factory):
    """Images in folders of classes, such that the model has known counts."""
    root = tmp_path_factory.mktemp("data")
    for seed in range(RIGHT + AMONG5 + WRONG):
        ranked = model(image_input(seed)[None])[0].argsort(descending=True).tolist()
        place = 0 if seed < RIGHT else 2 if seed < RIGHT + AMONG5 else 6
        folder = root / CLASSES[ranked[place]]
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}.jpg").write_bytes(picture(seed))
    return root


def zoo_text(url, top1="41.67", architecture="mobilenet_v3_small"):
    counts = count(ARCHITECTURE, 64)
    return f"""
schema = 1
name = "test"
title = "Test"
source = "https://example.org"
counting = {{ resolution = 64, num_classes = {len(CLASSES)} }}
[protocol]
exif_orientation = false
resize_short_edge = 72
interpolation = "bilinear"
center_crop = 64
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
classes = {CLASSES}
[models."{NAME}"]
architecture = {{ torchvision = "{architecture}" }}
url = "{url}"
reported = {{ params_m = "{counts.params / 1e6:.6f}", flops_g = "{counts.flops["torchvision"] / 1e9:.4f}", top1 = "{top1}", top5 = "75.00" }}
"""


def served(server, model):
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    content = buffer.getvalue()
    return server.put(f"/{published_name(content, 'net')}", content)


def test_all_claims_are_reproduced_and_recorded(server, model, data, tmp_path):
    shell = Shell(tmp_path, data)
    shell.zoo.write_text(zoo_text(served(server, model)))
    document = shell.verify("--batch-size", "5")
    (found,) = document["models"]
    assert found["verdict"] == "reproduced"
    assert (found["top1"]["correct"], found["top5"]["correct"]) == (RIGHT, RIGHT + AMONG5)
    assert found["checkpoint"]["format"] == "torchvision"
    assert found["architecture"] == ARCHITECTURE.as_dict()
    assert found["flops"]["openmmlab"] is None
    record = read(shell.results, "test", load_zoo(str(shell.zoo)).entries[0])
    assert record.accuracy.numerics.model == "reference"
    assert record.accuracy.numerics.choices is None
    assert record.counts.source == "checkpoint"
    assert record.counts.flops == count(ARCHITECTURE, 64).flops


def test_the_summary_does_not_claim_a_rewrite(server, model, data, tmp_path):
    shell = Shell(tmp_path, data)
    shell.zoo.write_text(zoo_text(served(server, model)))
    text = shell("validate", "--all", "--data", data, "--workers", "0").output
    assert "reference model" in text
    assert "optimized" not in text
    document = json.loads(
        shell("validate", "--all", "--data", data, "--workers", "0", "--json").stdout
    )
    assert document["models"][0]["correct1"] == RIGHT


def test_a_wrong_top1_deviates(server, model, data, tmp_path):
    shell = Shell(tmp_path, data)
    shell.zoo.write_text(zoo_text(served(server, model), top1="41.97"))
    (found,) = shell.verify(code=1)["models"]
    assert found["top1"]["verdict"] == "deviates"


def test_a_file_of_another_network_is_unreadable_with_the_reason(server, model, data, tmp_path):
    shell = Shell(tmp_path, data)
    shell.zoo.write_text(zoo_text(served(server, model), architecture="mobilenet_v3_large"))
    (found,) = shell.verify(code=1)["models"]
    assert found["checkpoint"]["status"] == "unreadable"
    assert "are not those of torchvision's mobilenet_v3_large" in found["checkpoint"]["reason"]
    assert found["top1"]["verdict"] == "not measured"
    assert found["params"]["source"] == "architecture"
