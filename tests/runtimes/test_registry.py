"""Every runtime computes the reference's logits, whatever the number of images."""

import pytest
import torch

from vanbench.devices import numerics
from vanbench.errors import DependencyError, DeviceError
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_normal, random_weights
from vanbench.runtimes import names
from vanbench.runtimes.interface import Runtime, Setting
from vanbench.runtimes.registry import RUNTIMES

CPU = torch.device("cpu")
TINY = Architecture((8, 16, 24, 40), (1, 2, 1, 1), (8, 8, 4, 4), 10)
ODD = Architecture((5, 9, 14, 21), (1, 1, 2, 1), (3, 4, 2, 1), 7)
QUICK = [name for name in names.NAMES if name != names.COMPILED]


def test_the_names_are_those_of_the_runtimes() -> None:
    assert tuple(RUNTIMES) == names.NAMES


@pytest.mark.parametrize("architecture", [TINY, ODD], ids=["tiny", "odd"])
@pytest.mark.parametrize("name", QUICK)
def test_logits_are_the_reference_s(name: str, architecture: Architecture) -> None:
    model = random_weights(architecture).eval()
    images = random_normal(7, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with numerics(CPU, "fp32"), torch.inference_mode():
        expected = model(images)
        module = RUNTIMES[name].prepare(model, Setting(CPU, resolution=64))
        for count in (7, 1, 2):
            found = module(images[:count])
            torch.testing.assert_close(
                found, expected[:count], rtol=0, atol=5e-5 * float(expected.abs().max())
            )


class Absent(Runtime):
    """A runtime whose packages nobody has."""

    name = "absent"
    extra = "absent"
    distributions = ("no-such-package", "torch")
    precisions = ("fp32",)

    def prepare(self, model: object, setting: Setting) -> torch.nn.Module:
        raise AssertionError("never called")


def test_a_missing_runtime_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(DependencyError) as failed:
        Absent().check(CPU, "fp32")
    assert "absent needs no-such-package" in failed.value.problem
    assert failed.value.remedy == "Install it with: pip install 'vanbench[absent]'"


@pytest.mark.parametrize("name", [names.ONNXRUNTIME, names.OPENVINO])
def test_another_device_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="computes on the CPU"):
        RUNTIMES[name].check(torch.device("meta"), "fp32")


def test_a_precision_that_a_runtime_has_not_is_refused() -> None:
    with pytest.raises(DeviceError, match="does not compute in tf32"):
        RUNTIMES[names.OPENVINO].check(CPU, "tf32")
