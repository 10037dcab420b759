"""Files of models of torchvision: read strictly, in the names that torchvision had over the years."""

import re

import pytest
import torch

from tests.support.models import TINY
from vanbench.checkpoints.load import open_checkpoint
from vanbench.errors import CheckpointError
from vanbench.model.build import random_weights
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.model.torchvision_models import build_shapes, random_torchvision

SQUEEZENET = TorchvisionArchitecture("squeezenet1_1", num_classes=5)


def saved(path, state, **options):
    torch.save(state, path, **options)
    return path


def opened(path, architecture):
    return open_checkpoint(path, declared=architecture)


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_the_logits_are_those_of_the_saved_model(tmp_path, legacy):
    model = random_torchvision(SQUEEZENET)
    path = saved(tmp_path / "a.pth", model.state_dict(), _use_new_zipfile_serialization=not legacy)
    found = opened(path, SQUEEZENET)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(found.model(x), model(x))
    assert (found.naming.name, found.architecture) == ("torchvision", SQUEEZENET)
    assert found.layer_norm_eps is None
    assert not found.model.training
    assert not any(p.requires_grad or p.is_meta for p in found.model.parameters())


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5", "swin_t", "vit_b_32"])
def test_buffers_are_read_too_and_counters_of_batches_may_be_absent(tmp_path, name):
    architecture = TorchvisionArchitecture(name, num_classes=3)
    model = random_torchvision(architecture)
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    found = opened(saved(tmp_path / "a.pth", state), architecture).model
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    assert torch.equal(found(x), model(x))


def renamed(state, pattern, replacement):
    names = {name: re.sub(pattern, replacement, name) for name in state}
    assert any(old != new for old, new in names.items())
    return {new: state[old] for old, new in names.items()}


def test_names_that_torchvision_has_changed_are_known(tmp_path):
    dense = TorchvisionArchitecture("densenet121", num_classes=2)
    model = random_torchvision(dense)
    old = renamed(model.state_dict(), r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.")
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(opened(saved(tmp_path / "a.pth", old), dense).model(x), model(x))


def test_names_of_the_first_vits_are_known(tmp_path):
    vit = TorchvisionArchitecture("vit_b_32", num_classes=2, image_size=64)
    model = random_torchvision(vit)
    state = renamed(model.state_dict(), r"mlp\.0\.", "mlp.linear_1.")
    state = renamed(state, r"mlp\.3\.", "mlp.linear_2.")
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(opened(saved(tmp_path / "a.pth", state), vit).model(x), model(x))


def test_the_auxiliary_heads_of_googlenet_are_read_and_left_out(tmp_path):
    architecture = TorchvisionArchitecture("googlenet", num_classes=2)
    shapes = build_shapes(architecture).state_dict()
    state = {k: torch.zeros(v.shape, dtype=v.dtype) for k, v in shapes.items()}
    assert "aux1.fc1.weight" in state
    model = opened(saved(tmp_path / "a.pth", state), architecture).model
    assert model.aux1 is None
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 2)


def test_every_tensor_that_does_not_fit_is_named(tmp_path):
    state = dict(random_torchvision(SQUEEZENET).state_dict())
    del state["classifier.1.bias"]
    state["extra\x1b.weight"] = torch.zeros(1)
    state["features.0.weight"] = torch.zeros(64, 3, 7, 7)
    with pytest.raises(CheckpointError) as caught:
        opened(saved(tmp_path / "a.pth", state), SQUEEZENET)
    assert caught.value.cause == (
        "the tensors (torchvision naming) are not those of torchvision's squeezenet1_1: "
        "1 missing, 1 unexpected, 1 mis-shaped"
    )
    assert "missing (1): classifier.1.bias; unexpected (1): extra" in caught.value.problem
    assert "features.0.weight has (64, 3, 7, 7) for (64, 3, 3, 3)" in caught.value.problem
    assert "\x1b" not in str(caught.value)


def test_another_model_of_torchvision_and_a_van_are_refused(tmp_path):
    other = random_torchvision(TorchvisionArchitecture("squeezenet1_0", num_classes=5))
    for state in (other.state_dict(), random_weights(TINY).state_dict()):
        with pytest.raises(CheckpointError, match="are not those of torchvision's squeezenet1_1"):
            opened(saved(tmp_path / "a.pth", state), SQUEEZENET)


def test_code_in_a_file_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    path = saved(tmp_path / "a.pth", {"features.0.weight": Attack()})
    with pytest.raises(CheckpointError):
        opened(path, SQUEEZENET)
    assert not (tmp_path / "made").exists()


def test_what_is_for_vans_alone_says_so(tmp_path):
    path = saved(tmp_path / "a.pth", random_torchvision(SQUEEZENET).state_dict())
    with pytest.raises(CheckpointError, match="expected a VAN, found squeezenet1_1 of torchvision"):
        _ = opened(path, SQUEEZENET).van
