"""What a pass freed is there for the next one."""

import platform
import subprocess
import sys

import pytest
import torch

from vanbench.inference import memory

FAULTS = """
import resource, torch
from dataclasses import replace
from vanbench.inference.optimized import optimize
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights

torch.set_num_threads({threads})
models = [
    optimize(random_weights(replace(ARCHITECTURES[name], depths=(1, 1, 1, 1))))
    for name in ("van_b0", "van_b1", "van_b3")
]
x, faults = torch.zeros(8 * {threads}, 3, 224, 224), []
for _ in range(5):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for fast in models:
        fast(x)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sum(faults[2:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
@pytest.mark.parametrize("threads", [1, 2])
def test_passes_of_several_models_have_few_page_faults(threads):
    """In a program that has freed no large block itself: else there are tens of thousands."""
    command = [sys.executable, "-c", FAULTS.format(threads=threads)]
    found = subprocess.run(command, timeout=60, check=True, capture_output=True, text=True)
    assert int(found.stdout) < 4000


def test_where_memory_is_short_nothing_is_held(monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(torch, "empty", refuse)
    memory.keep_freed_blocks()
    assert memory.hold_heaps() is None
