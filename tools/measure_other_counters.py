"""What ptflops and torchinfo print for each VAN variant: the figures of tests/test_conventions.py.

    pip install ptflops==0.7.5 torchinfo==1.8.0
    python tools/measure_other_counters.py

The model has ``nn.GELU`` where the reference has ``F.gelu``, as OpenMMLab's and the authors' code.
"""

import io

import torch
from ptflops import get_model_complexity_info
from torch import Tensor, nn
from torchinfo import summary

from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import build_uninitialized
from vanbench.model.van import VAN, Attention, Mlp

RESOLUTIONS = (32, 97, 224)


class AttentionWithModule(Attention):
    def forward(self, y: Tensor) -> Tensor:
        return self.proj_out(self.lka(self.act(self.proj_in(y)))) + y


class MlpWithModule(Mlp):
    def forward(self, y: Tensor) -> Tensor:
        return self.fc2(self.act(self.depthwise(self.fc1(y))))


def model_of(architecture: Architecture) -> VAN:
    """A model of zeros, in eval mode."""
    model = build_uninitialized(architecture).eval().to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    kinds = {Attention: AttentionWithModule, Mlp: MlpWithModule}
    for module in list(model.modules()):
        if type(module) in kinds:
            module.__class__ = kinds[type(module)]
            module.act = nn.GELU()
    return model


def figures(model: VAN, resolution: int) -> tuple[int, int, int]:
    """ptflops with its default backend, with its aten backend, and torchinfo."""
    quiet = {"print_per_layer_stat": False, "as_strings": False, "ost": io.StringIO()}
    size = (3, resolution, resolution)
    default, _ = get_model_complexity_info(model, size, **quiet)
    aten, _ = get_model_complexity_info(model, size, backend="aten", **quiet)
    return int(default), int(aten), int(summary(model, (1, *size), verbose=0).total_mult_adds)


if __name__ == "__main__":
    for name, architecture in ARCHITECTURES.items():
        model = model_of(architecture)
        for resolution in RESOLUTIONS:
            print(f'    ("{name}", {resolution}): {figures(model, resolution)},', flush=True)
