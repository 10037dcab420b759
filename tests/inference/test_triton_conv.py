"""The Triton kernel without a GPU: in Triton's interpreter, and compiled for GPUs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

INTERPRETED = Path(__file__).with_name("interpreted_triton.py")


def test_in_the_interpreter():
    """In a process of its own: Triton decides when the kernel is made."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(INTERPRETED)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{2} passed in", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    ("kind", "taps", "dilation", "gelu"), [("fp32", 7, 3, False), ("bf16", 3, 1, True)]
)
def test_it_compiles_for_gpus(capability, kind, taps, dilation, gelu, monkeypatch, tmp_path):
    """To machine code: Triton's interpreter accepts Python that its compiler does not."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton import language as tl
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from vanbench.inference.triton_conv import CHANNELS, POSITIONS, _kernel

    values = (taps, dilation, gelu, tl.float32, POSITIONS, CHANNELS)
    types = [f"*{kind}", "*fp32", "*fp32", f"*{kind}", *["i32"] * 4, *["constexpr"] * len(values)]
    names = _kernel.arg_names
    source = ASTSource(
        _kernel,
        signature=dict(zip(names, types, strict=True)),
        constexprs=dict(zip(names[-len(values) :], values, strict=True)),
    )
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert made.asm["cubin"]
    assert "fma.rn.f32" in made.asm["ptx"]
