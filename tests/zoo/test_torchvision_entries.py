"""Entries of a zoo file whose architecture is a model of torchvision."""

from dataclasses import replace

import pytest

from vanbench.errors import ZooError
from vanbench.model.limits import excess
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.zoo.counts_fit import flops_misfit, params_misfit
from vanbench.zoo.reader import parse_zoo

TEXT = """
schema = 1
name = "mine"
title = "Mine"
source = "https://example.org"
counting = {{ {counting} }}

[models."a.x"]
architecture = {{ {architecture} }}
url = "https://example.org/a-01234567.pth"
{more}
"""


def entry(architecture='torchvision = "resnet50"', counting="num_classes = 7", more=""):
    text = TEXT.format(architecture=architecture, counting=counting, more=more)
    return parse_zoo(text, "mine.toml").entries[0]


def test_a_model_of_torchvision_has_the_number_of_classes_of_the_counting():
    assert entry().architecture == TorchvisionArchitecture("resnet50", 7)
    vit = entry('torchvision = "vit_b_16", image_size = 384')
    assert vit.architecture == TorchvisionArchitecture("vit_b_16", 7, 384)


@pytest.mark.parametrize(
    ("counting", "expected"),
    [("", "torchvision"), ('convention = "openmmlab"', "torchvision"),
     ('convention = "torchvision"', "torchvision"), ('convention = "fvcore"', "fvcore")],
)  # fmt: skip
def test_a_convention_of_the_whole_file_holds_for_the_networks_that_it_is_for(counting, expected):
    assert entry(counting=counting).counting.convention == expected


@pytest.mark.parametrize(
    ("architecture", "more", "message"),
    [
        ('torchvision = "resnet5"', "", "key 'torchvision': expected one of alexnet, "),
        ('torchvision = "fasterrcnn_resnet50_fpn"', "", "key 'torchvision': expected one of"),
        ('torchvision = "resnet50", image_size = 224', "", "no image_size, which only a ViT has"),
        ('torchvision = "vit_b_16", image_size = 2048', "", "from 32 to 1,024, found int 2048"),
        ('torchvision = "resnet50", depths = [1]', "", "only the keys torchvision"),
        ('torchvision = "resnet50"', 'counting = { convention = "openmmlab" }',
         "one of torchvision, fvcore for a model of torchvision, found str 'openmmlab'"),
        ('torchvision = "resnet50"', "protocol = { center_crop = 2000, resize_short_edge = 2000 }",
         "the network is too large: a side of 2,000"),
        ('torchvision = "resnet50"', "counting = { resolution = 1025 }",
         "the network is too large: a side of 1,025"),
        ("embed_dims = [8, 8, 8, 8], depths = [1, 1, 1, 1]",
         'counting = { convention = "torchvision" }',
         "torchinfo for a VAN, found str 'torchvision'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(architecture, more, message):
    with pytest.raises(ZooError) as caught:
        entry(architecture, more=more)
    assert message in str(caught.value)


def test_what_has_no_closed_form_is_not_checked_without_torch():
    found = entry(more='reported = { params_m = "1", flops_g = "1" }')
    assert params_misfit(found) is None
    assert flops_misfit(found) is None


def test_the_limit_of_the_side_is_that_of_the_image_size_too():
    resnet = TorchvisionArchitecture("resnet50")
    assert excess(resnet, 1024) is None
    assert "1,025" in str(excess(resnet, 1025))
    assert "1,025" in str(excess(replace(resnet, image_size=1025), 224))
