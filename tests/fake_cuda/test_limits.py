"""What cannot be traced without a GPU is what docs/performance.md says: no more, and no less."""

import re

import pytest
import torch

from tests.fake_cuda.test_networks import uninitialized
from tests.fake_cuda.trace import CUDA, fake_tensors, is_channels_last
from tests.support.command_line import ROOT
from tests.support.models import TINY
from vanbench.benchmark.bench import compare_logits
from vanbench.environment import environment
from vanbench.flops import count
from vanbench.inference.optimized import compiled


def values(model, x):
    compare_logits({"reference": model, "optimized": model}, x)


def events(model, x):
    torch.cuda.Event(enable_timing=True).record()


def page_locked_memory(model, x):
    torch.empty(1, device="cpu").pin_memory()


def about_the_device(model, x):
    environment(CUDA)


def layout_with_bf16(model, x):
    x, conv = x.bfloat16(), model.stages[0].patch_embed.conv
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.nn.functional.conv2d(x, conv.weight.bfloat16())
    assert is_channels_last(y), "not known"


def fvcores_count(model, x):
    count(TINY, 64, "cuda")


def compiling(model, x):
    compiled(model)(x)


LIMITS = {
    "Values": values,
    "CUDA events": events,
    "Page-locked memory": page_locked_memory,
    "The device's name and memory": about_the_device,
    "Layouts with bf16": layout_with_bf16,
    "fvcore's count on the GPU": fvcores_count,
    "`--compile`": compiling,
    "Speed": None,  # nothing is computed
}


def test_the_documentation_lists_them():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    section = page.split("\nThis cannot be checked so:\n")[1]
    assert re.findall(r"^- \*\*(.+)\*\*:", section, re.MULTILINE) == list(LIMITS)


@pytest.mark.skipif(torch.cuda.device_count() > 0, reason="has a CUDA device")
@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(limit, marks=[pytest.mark.slow] if limit is compiling else [])
        for limit in LIMITS.values()
        if limit
    ],
)
def test_each_of_them_fails(limit):
    """Where one does not any more, trace it, and take it from the list."""
    model = uninitialized()
    with fake_tensors():
        model, x = model.to(CUDA), torch.empty(2, 3, 64, 64, device=CUDA)
        with pytest.raises((RuntimeError, AssertionError)):
            limit(model, x)
