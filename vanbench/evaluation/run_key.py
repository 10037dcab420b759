"""What decides whether a stored prediction is used again."""

from dataclasses import replace

import torch

from vanbench.evaluation.plan import RunOptions
from vanbench.prediction_store.store import RunKey
from vanbench.report.records import Numerics, ValidationEnvironment
from vanbench.typed_json import to_json
from vanbench.zoo.entries import EvaluationProtocol

NUMERICS_VERSION = 1
"""Raised by one with every change of the code after which a logit can be another number.

Predictions that were stored under another version stay, as another run, and are not used again.
``tests/evaluation/test_run_key.py`` fails when the code of a module that can change logits differs
from the code that this version stands for.
"""


def numerics_of(device: torch.device, options: RunOptions) -> Numerics:
    """How logits are computed, as a record has it."""
    return Numerics(
        precision=options.precision,
        tf32=options.precision == "tf32",
        device=device.type,
        model="reference" if options.reference else "optimized",
        choices=options.rewrite,
        compile=options.compile,
    )


def without_rewrite(numerics: Numerics) -> Numerics:
    """How the logits of another network than a VAN are computed in the same run."""
    return replace(numerics, model="reference", choices=None, compile=False)


def run_key(
    sha256: str,
    weights: str,
    layer_norm_eps: float | None,
    protocol: EvaluationProtocol,
    numerics: Numerics,
    about: ValidationEnvironment,
    *,
    chosen_among: str | None = None,
) -> RunKey:
    """What decides the predictions of a model, besides the image.

    ``chosen_among`` is the key of the test set whose rule leaves out some classes; None if all take
    part.

    ``sha256`` is the checkpoint's, ``weights`` the kind of its weights, ``layer_norm_eps`` the
    epsilon that a VAN computes with. The variants of the exact rewrite are not in it: a short
    trial may choose others the next time, and they give the same logits but for rounding.
    """
    masked = {"chosen_among": chosen_among} if chosen_among else {}
    return RunKey(
        checkpoint=sha256,
        protocol=to_json(protocol) | masked,
        numerics={
            "precision": numerics.precision,
            "tf32": numerics.tf32,
            "device": numerics.device,
            "model": numerics.model,
            "compile": numerics.compile,
            "weights": weights,
            "layer_norm_eps": layer_norm_eps,
            "numerics_version": NUMERICS_VERSION,
            "torch": about.torch,
            "pillow": about.pillow,
            "cpu": about.cpu,
            "gpu": about.gpu,
            "cuda": about.cuda,
            "decoder": to_json(about.decoder),
        },
    )
