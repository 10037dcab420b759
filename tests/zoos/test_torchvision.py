"""The shipped zoo of torchvision's weights: its claims are torchvision's, and are reproduced."""

from fractions import Fraction

import pytest
import torchvision
from torchvision.models import get_model_weights, list_models
from torchvision.transforms import InterpolationMode

from tools.write_torchvision_zoo import FILE, zoo_text
from vanbench.conventions import TORCHVISION_CONVENTIONS
from vanbench.flops import count
from vanbench.model.torchvision_architecture import NAMES
from vanbench.zoo.reader import load_zoo

ZOO = load_zoo("torchvision")
QUICK = ("resnet18.imagenet1k_v1", "googlenet.imagenet1k_v1", "regnet_y_400mf.imagenet1k_v2",
         "mobilenet_v3_small.imagenet1k_v1", "swin_t.imagenet1k_v1", "maxvit_t.imagenet1k_v1",
         "vit_b_16.imagenet1k_swag_e2e_v1", "inception_v3.imagenet1k_v1",
         "vgg16.imagenet1k_features")  # fmt: skip


def weights_of(entry):
    return get_model_weights(entry.architecture.name)[entry.name.partition(".")[2].upper()]


def test_it_has_every_set_of_weights_of_every_classification_model():
    assert set(NAMES) <= set(list_models(module=torchvision.models))
    expected = [f"{n}.{w.name.lower()}" for n in NAMES for w in get_model_weights(n)]
    assert [entry.name for entry in ZOO.entries] == expected
    assert len(expected) == 115
    assert len(NAMES) == 80


def test_the_file_is_as_generated():
    assert zoo_text() == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("entry", ZOO.entries, ids=lambda entry: entry.name)
def test_each_entry_says_what_the_metadata_says(entry):
    weights = weights_of(entry)
    preset, protocol, claims = weights.transforms(), entry.protocol, entry.claims
    assert entry.urls == (weights.url,)
    assert entry.published_hash
    assert entry.filename.endswith(f"-{entry.published_hash}.pth")
    assert claims.params_m.value == Fraction(weights.meta["num_params"], 10**6)
    assert claims.flops_g.value == Fraction(str(weights.meta["_ops"]))
    if claims.top1:
        metrics = weights.meta["_metrics"]["ImageNet-1K"]
        assert (float(claims.top1.value), float(claims.top5.value)) == tuple(metrics.values())
    assert [protocol.resize_short_edge] == preset.resize_size
    assert [protocol.center_crop] == preset.crop_size == [entry.counting.resolution]
    assert protocol.interpolation == InterpolationMode(preset.interpolation).value
    assert protocol.mean == pytest.approx([255 * value for value in preset.mean])
    assert protocol.std == pytest.approx([255 * value for value in preset.std])


def check_counts(entry):
    """Parameters exactly; operations at the precision that torchvision prints."""
    found, meta = count(entry.architecture, entry.counting.resolution), weights_of(entry).meta
    assert found.params == meta["num_params"]
    assert round(found.flops["torchvision"] / 1e9, 3) == meta["_ops"]
    for convention in TORCHVISION_CONVENTIONS:
        assert sum(found.by_module[convention].values()) == found.flops[convention]
    assert sum(found.params_by_module.values()) == found.params
    assert 0 < found.params_backbone < found.params


@pytest.mark.parametrize("name", QUICK)
def test_counts_are_those_of_the_metadata(name):
    check_counts(ZOO.find(name))


@pytest.mark.slow
@pytest.mark.parametrize("entry", ZOO.entries, ids=lambda entry: entry.name)
def test_all_counts_are_those_of_the_metadata(entry):
    check_counts(entry)
