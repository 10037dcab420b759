"""What ``make gpu`` measures, tried on the CPU."""

import torch

from benchmarks import gpu

CPU = torch.device("cpu")


def test_a_pass_is_measured_beside_its_parts(tmp_path):
    measured = gpu.whole_pass(tmp_path, ["van_b0"], 6, CPU)
    larger = max(measured["decode_s"], measured["forward_s"])
    assert measured["ratio"] == measured["pass_s"] / larger > 0
    assert gpu.lines("pass", measured)[0][0] == "1 model over 6 JPEGs, s"


def test_the_rewrite_is_measured_beside_the_compiler(monkeypatch):
    """Without the compiler, which takes minutes."""
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)
    measured = gpu.beside_compiler("van_b0", CPU, "fp32", batch=1, seconds=0)
    ((what, figure, goal),) = gpu.lines("compiler.van_b0.fp32", measured)
    assert (what, goal) == ("van_b0, fp32, over channels-last compiled", "≥ 1.2")
    assert float(figure) > 0
    assert measured["samples"].keys() == {"reference", "optimized"}
