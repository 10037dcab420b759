"""Stored predictions belong to the code that computed them, and to all that can change a logit."""

import ast
import hashlib
import io
import tokenize
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import vanbench
from vanbench.data.decoder_check import check_decoder
from vanbench.environment import environment
from vanbench.evaluation.run_key import NUMERICS_VERSION, numerics_of, run_key
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.report.records import Calibration, RuntimeTrial, ValidationEnvironment
from vanbench.runtimes.choose import Chosen
from vanbench.zoo.entries import EvaluationProtocol

PACKAGE = Path(vanbench.__file__).parent

MODULES = (
    "checkpoints/key_names.py",
    "checkpoints/load.py",
    "checkpoints/state_dict.py",
    "checkpoints/torchvision_file.py",
    "checkpoints/weights.py",
    "data/crop_files.py",
    "data/decode.py",
    "data/pixel_cache.py",
    "data/preprocess.py",
    "devices.py",
    "evaluation/calibrate.py",
    "evaluation/crops.py",
    "evaluation/predict.py",
    "inference/fused_conv.py",
    "inference/optimized.py",
    "inference/packed.py",
    "inference/passes.py",
    "inference/triton_conv.py",
    "model/build.py",
    "model/torchvision_models.py",
    "model/van.py",
    "runtimes/in_torch.py",
    "runtimes/onnx_graph.py",
    "runtimes/onnx_runtime.py",
    "runtimes/open_vino.py",
    "runtimes/quantize.py",
)
"""The modules between an encoded image and its logits."""

CODE_OF_VERSION = {
    1: "6b790bfc9b300b490960268accfdafe0b5b16af51ac3802912f44105d012085a",
    2: "a61138bde531d388a9a0d79e7edc7ec19cf9f1958bc2b39a94da18b65ff26527",
}
"""NUMERICS_VERSION → SHA-256 over the code of MODULES.

Where this fails, decide: can the change move a logit, however little? Then raise NUMERICS_VERSION in
vanbench/evaluation/run_key.py and add a line here. If not, put the new SHA-256 into the last line.
"""


def code_of(source: str) -> str:
    """The source without comments, docstrings and blank lines."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and lines[token.start[0] - 1]:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def digest(names=MODULES):
    code = "\n".join(f"# {n}\n{code_of((PACKAGE / n).read_text(encoding='utf-8'))}" for n in names)
    return hashlib.sha256(code.encode()).hexdigest()


def test_the_numerics_version_stands_for_the_code_that_can_change_logits():
    assert list(CODE_OF_VERSION) == list(range(1, NUMERICS_VERSION + 1))
    assert CODE_OF_VERSION[NUMERICS_VERSION] == digest(), "see CODE_OF_VERSION in this file"


def test_comments_and_docstrings_are_no_code():
    plain = 'def f(x):\n    return x + "# no comment"\n'
    commented = (
        '"""Module."""\n\n\ndef f(x):  # why\n    """Doc\n\n    string."""\n    # more\n'
        '    return x + "# no comment"  # sum\n'
    )
    assert code_of(commented) == code_of(plain)
    assert code_of(plain) != code_of(plain.replace("x + ", "x +  "))


ABOUT = ValidationEnvironment(**vars(environment(torch.device("cpu"))), decoder=check_decoder())
CALIBRATION = Calibration("validation set", 128, "cc" * 32, "onnxruntime 1.32.0")
PARTS = {
    "sha256": "aa" * 32,
    "weights": "plain",
    "layer_norm_eps": 1e-5,
    "protocol": EvaluationProtocol(),
    "numerics": numerics_of(torch.device("cpu"), "fp32", Chosen("optimized")),
    "about": ABOUT,
}


def identity(**changed):
    return run_key(**(PARTS | changed)).identity


def computed(runtime="optimized", device="cpu", precision="fp32", **how):
    return numerics_of(torch.device(device), precision, Chosen(runtime, **how))


@pytest.mark.parametrize(
    "changed",
    [
        {"sha256": "bb" * 32},
        {"weights": "ema"},
        {"layer_norm_eps": 1e-6},
        {"protocol": EvaluationProtocol(center_crop=192)},
        {"protocol": EvaluationProtocol(classes=("p", "q"))},
        {"numerics": computed(precision="bf16")},
        {"numerics": computed(precision="tf32")},
        {"numerics": computed(device="cuda")},
        {"numerics": computed("reference")},
        {"numerics": computed("compiled")},
        {"numerics": computed("onnxruntime")},
        {"numerics": computed("openvino")},
        {"numerics": computed(precision="int8", calibration=CALIBRATION)},
        {"about": replace(ABOUT, torch="0.0")},
        {"about": replace(ABOUT, pillow="0.0")},
        {"about": replace(ABOUT, cpu="another")},
        {"about": replace(ABOUT, gpu="another")},
        {"about": replace(ABOUT, cuda="0.0")},
        {"about": replace(ABOUT, decoder=replace(ABOUT.decoder, ok=False))},
    ],
    ids=str,
)
def test_whatever_can_change_a_logit_makes_another_run(changed):
    assert identity(**changed) != identity()


@pytest.mark.parametrize("changed", [{"sha256": "bb" * 32}, {"tool": "onnxruntime 2.0"}])
def test_another_calibration_makes_another_run(changed):
    one, other = (
        identity(numerics=computed("openvino", precision="int8", calibration=calibration))
        for calibration in (CALIBRATION, replace(CALIBRATION, **changed))
    )
    assert one != other


@pytest.mark.parametrize(
    "changed",
    [
        {"about": replace(ABOUT, vanbench="9.9")},
        {"about": replace(ABOUT, threads=99)},
        {"numerics": computed(rewrite=RewriteConfig())},
        {"numerics": computed(error=1e-6, trial=RuntimeTrial({}, {"optimized": 1.0}))},
    ],
    ids=["version of the package", "threads", "variants of the rewrite", "how it was chosen"],
)
def test_the_rest_does_not(changed):
    assert identity(**changed) == identity()


def test_another_numerics_version_makes_another_run(monkeypatch):
    before = identity()
    monkeypatch.setattr("vanbench.evaluation.run_key.NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert identity() != before
