"""What decides whether a stored prediction is used again."""

from dataclasses import asdict
from typing import Any

import torch

from vanbench.data.decoder_check import check_decoder
from vanbench.data.layouts.images import ImageSet
from vanbench.environment import environment
from vanbench.prediction_store.store import RunKey
from vanbench.report.records import Numerics, ValidationEnvironment
from vanbench.runtimes.choose import Chosen
from vanbench.runtimes.names import COMPILED, OPTIMIZED
from vanbench.runtimes.registry import RUNTIMES
from vanbench.typed_json import to_json
from vanbench.zoo.entries import EvaluationProtocol

NUMERICS_VERSION = 2
"""Raised by one with every change of the code after which a logit can be another number.

Predictions that were stored under another version stay, as another run, and are not used again.
``tests/evaluation/test_run_key.py`` fails when the code of a module that can change logits differs
from the code that this version stands for.
"""


def numerics_of(device: torch.device, precision: str, chosen: Chosen) -> Numerics:
    """How logits are computed, as a record has it."""
    runtime, precision = RUNTIMES[chosen.runtime], chosen.precision or precision
    return Numerics(
        precision=precision,
        tf32=precision == "tf32",
        device=device.type,
        model=OPTIMIZED if chosen.runtime == COMPILED else chosen.runtime,
        choices=chosen.rewrite,
        compile=chosen.runtime == COMPILED,
        versions=runtime.versions() if runtime.extra else {},
        max_relative_error=chosen.error,
        trial=chosen.trial,
        calibration=chosen.calibration,
    )


def validation_environment(device: torch.device) -> ValidationEnvironment:
    """What a validation on this device is measured on."""
    return ValidationEnvironment(**asdict(environment(device)), decoder=check_decoder())


def masked_rule(images: ImageSet) -> str | None:
    """The key of the test set whose rule leaves out some classes; None if all take part."""
    return None if images.among is None else images.other_set


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
    more: dict[str, Any] = {"versions": dict(numerics.versions)} if numerics.versions else {}
    if quantised := numerics.calibration:
        more |= {"calibration": {"sha256": quantised.sha256, "tool": quantised.tool}}
    return RunKey(
        checkpoint=sha256,
        protocol=to_json(protocol) | masked,
        numerics={
            "precision": numerics.precision,
            "tf32": numerics.tf32,
            "device": numerics.device,
            "model": numerics.model,
            "compile": numerics.compile,
            **more,
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
