"""Key names: each naming against names written out by hand, and round trips."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forge import tiny_state
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import (
    FORMATS,
    NATIVE,
    OFFICIAL,
    OPENMMLAB,
    TRANSFORMERS,
    detect,
    from_native,
    to_native,
    translate,
)
from vanbench.errors import CheckpointError
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import build

every_format = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)

# One tensor of each part of stage 2, block 1, as the three code bases name it.
BY_HAND = [
    (
        "backbone.patch_embed2.projection.weight",
        "patch_embed2.proj.weight",
        "van.encoder.stages.1.embeddings.convolution.weight",
    ),
    (
        "backbone.patch_embed2.norm.running_mean",
        "patch_embed2.norm.running_mean",
        "van.encoder.stages.1.embeddings.normalization.running_mean",
    ),
    (
        "backbone.blocks2.1.norm1.weight",
        "block2.1.norm1.weight",
        "van.encoder.stages.1.layers.1.pre_normomalization.weight",
    ),
    (
        "backbone.blocks2.1.norm2.num_batches_tracked",
        "block2.1.norm2.num_batches_tracked",
        "van.encoder.stages.1.layers.1.post_normalization.num_batches_tracked",
    ),
    (
        "backbone.blocks2.1.attn.proj_1.bias",
        "block2.1.attn.proj_1.bias",
        "van.encoder.stages.1.layers.1.attention.pre_projection.conv.bias",
    ),
    (
        "backbone.blocks2.1.attn.spatial_gating_unit.DW_conv.weight",
        "block2.1.attn.spatial_gating_unit.conv0.weight",
        "van.encoder.stages.1.layers.1.attention.attention_layer.attention.depth_wise.weight",
    ),
    (
        "backbone.blocks2.1.attn.spatial_gating_unit.DW_D_conv.weight",
        "block2.1.attn.spatial_gating_unit.conv_spatial.weight",
        "van.encoder.stages.1.layers.1.attention.attention_layer.attention.depth_wise_dilated.weight",
    ),
    (
        "backbone.blocks2.1.attn.spatial_gating_unit.conv1.weight",
        "block2.1.attn.spatial_gating_unit.conv1.weight",
        "van.encoder.stages.1.layers.1.attention.attention_layer.attention.point_wise.weight",
    ),
    (
        "backbone.blocks2.1.attn.proj_2.weight",
        "block2.1.attn.proj_2.weight",
        "van.encoder.stages.1.layers.1.attention.post_projection.weight",
    ),
    (
        "backbone.blocks2.1.mlp.fc1.weight",
        "block2.1.mlp.fc1.weight",
        "van.encoder.stages.1.layers.1.mlp.in_dense.weight",
    ),
    (
        "backbone.blocks2.1.mlp.dwconv.weight",
        "block2.1.mlp.dwconv.dwconv.weight",
        "van.encoder.stages.1.layers.1.mlp.depth_wise.weight",
    ),
    (
        "backbone.blocks2.1.mlp.fc2.bias",
        "block2.1.mlp.fc2.bias",
        "van.encoder.stages.1.layers.1.mlp.out_dense.bias",
    ),
    (
        "backbone.blocks2.1.layer_scale_1",
        "block2.1.layer_scale_1",
        "van.encoder.stages.1.layers.1.attention_scaling.weight",
    ),
    (
        "backbone.blocks2.1.layer_scale_2",
        "block2.1.layer_scale_2",
        "van.encoder.stages.1.layers.1.mlp_scaling.weight",
    ),
    ("backbone.norm2.weight", "norm2.weight", "van.encoder.stages.1.normalization.weight"),
    ("head.fc.weight", "head.weight", "classifier.weight"),
]


@pytest.mark.parametrize("names", BY_HAND, ids=lambda names: names[1])
def test_names_written_out_by_hand(names):
    formats = (OPENMMLAB, OFFICIAL, TRANSFORMERS)
    for source, name in zip(formats, names, strict=True):
        for target, expected in zip(formats, names, strict=True):
            assert translate(name, source, target) == expected


def test_by_hand_covers_every_part():
    assert len(BY_HAND) == len(NATIVE.parts)


@every_format
def test_the_way_there_and_back(fmt):
    native = randomized().state_dict()
    state = from_native(native, fmt)
    assert len(state) == len(native)
    back, unknown = to_native(state, fmt)
    assert unknown == []
    assert back.keys() == native.keys()
    assert all(torch.equal(back[key], native[key]) for key in native)


@every_format
def test_a_naming_is_recognised(fmt):
    assert detect(tiny_state(fmt)) is fmt


@every_format
def test_a_naming_is_recognised_without_a_head(fmt):
    headless = Architecture(TINY.embed_dims, TINY.depths, TINY.mlp_ratios, num_classes=0)
    assert detect(tiny_state(fmt, headless)) is fmt


@every_format
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_published_architecture_has_distinct_names(fmt, name):
    with torch.device("meta"):
        native = build(ARCHITECTURES[name]).state_dict()
    assert len(from_native(native, fmt)) == len(native)


@every_format
@given(st.text(max_size=40))
def test_no_other_name_is_taken_for_one(fmt, text):
    translated = translate(text, fmt, NATIVE)
    assert translated is None or translate(translated, NATIVE, fmt) == text


@pytest.mark.parametrize(
    "name",
    [
        "backbone.blocks5.0.norm1.weight",
        "backbone.blocks0.0.norm1.weight",
        "backbone.blocks1.01.norm1.weight",
        "backbone.blocks1.-1.norm1.weight",
        "backbone.blocks1.0.norm1.weight.extra",
        "xbackbone.blocks1.0.norm1.weight",
        "backbone.blocks1.0.norm11.weight",
        "backbone.blocks1.0.layer_scale_3",
    ],
)
def test_names_that_are_nearly_right_are_unknown(name):
    assert translate(name, OPENMMLAB, NATIVE) is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [([], "found 0 tensors"), (["conv1.weight", "fc.bias"], "found 2 tensors: conv1.weight")],
)
def test_names_of_no_van(keys, words):
    with pytest.raises(CheckpointError, match=words):
        detect(keys)


def test_what_transformers_never_uses_is_ignored_and_else_unknown():
    state = {"van.layernorm.weight": torch.ones(1), "van.pooler.weight": torch.ones(1)}
    assert to_native(state, TRANSFORMERS) == ({}, ["van.pooler.weight"])
