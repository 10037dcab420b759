"""torchvision's models: shapes without weights, random weights, and what they compute."""

import warnings

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode

from vanbench.flops import count
from vanbench.model.torchvision_architecture import (
    NAMES,
    TorchvisionArchitecture,
    architecture_from_dict,
)
from vanbench.model.torchvision_models import (
    build_shapes,
    random_torchvision,
    without_unused_heads,
)

QUICK = ("resnet18", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "vit_b_32",
         "swin_t", "regnet_y_400mf", "googlenet")  # fmt: skip
EINSUM = "maxvit_t"


def side_for(name):
    """A side at which a model runs quickly."""
    if name.startswith("vit_"):
        return 224
    return 224 if name == EINSUM else 96


def fvcore_total(model, side):
    """fvcore's own count of a forward pass."""
    # fvcore traces the code that torch uses while training, not the fused operator of inference.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            analysis = FlopCountAnalysis(model, torch.zeros(1, 3, side, side))
            analysis.unsupported_ops_warnings(False)
            analysis.uncalled_modules_warnings(False)
            return analysis.total()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def check_rules(name):
    """Both rules give what the tools themselves give."""
    side = side_for(name)
    architecture = TorchvisionArchitecture(name)
    model = random_torchvision(architecture)
    found = count(architecture, side)
    tolerance = 1e-4 if name == EINSUM else 0  # fvcore rounds torch.einsum
    assert found.flops["fvcore"] == pytest.approx(fvcore_total(model, side), rel=tolerance, abs=0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        without_unused_heads(build_shapes(architecture))(
            torch.empty(1, 3, side, side, device="meta")
        )
    assert 2 * found.flops["torchvision"] == counter.get_total_flops()


@pytest.mark.parametrize("name", QUICK)
def test_both_conventions_are_those_of_the_tools(name):
    check_rules(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n not in QUICK])
def test_both_conventions_are_those_of_the_tools_for_every_model(name):
    check_rules(name)


@pytest.mark.parametrize("name", ["squeezenet1_1", "regnet_y_400mf", "googlenet", "swin_t"])
def test_shapes_without_weights_are_those_of_the_model_with_weights(name):
    architecture = TorchvisionArchitecture(name, num_classes=7)
    shapes = without_unused_heads(build_shapes(architecture)).state_dict()
    real = random_torchvision(architecture).state_dict()
    assert {k: (v.shape, v.dtype) for k, v in shapes.items()} == {
        k: (v.shape, v.dtype) for k, v in real.items()
    }
    assert all(tensor.is_meta for tensor in shapes.values())


def test_random_weights_are_the_same_each_time_and_leave_the_random_generator_alone():
    architecture = TorchvisionArchitecture("squeezenet1_1", num_classes=3)
    before = torch.random.get_rng_state()
    first, second = random_torchvision(architecture), random_torchvision(architecture)
    assert torch.equal(before, torch.random.get_rng_state())
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    logits = first(torch.zeros(2, 3, 64, 64))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
    assert not first.training


def test_json_and_back():
    for architecture in (TorchvisionArchitecture("resnet50"),
                         TorchvisionArchitecture("vit_b_16", 10, 384)):  # fmt: skip
        assert architecture_from_dict(architecture.as_dict()) == architecture


@pytest.mark.parametrize(
    "changed",
    [{"arch": "fasterrcnn_resnet50_fpn"}, {"library": "timm"}, {"num_classes": 0},
     {"image_size": "224"}, {"colour": "red"}],
    ids=str,
)  # fmt: skip
def test_json_of_something_else_is_refused(changed):
    document = {**TorchvisionArchitecture("resnet50").as_dict(), **changed}
    with pytest.raises(ValueError, match="expected"):
        architecture_from_dict(document)


def test_the_same_body_has_the_same_name_and_image_size():
    vit = TorchvisionArchitecture("vit_b_16", image_size=384)
    assert vit.same_body(TorchvisionArchitecture("vit_b_16", 10, 384))
    assert not vit.same_body(TorchvisionArchitecture("vit_b_16", 10))
    assert not vit.same_body(TorchvisionArchitecture("vit_b_32", 10, 384))
