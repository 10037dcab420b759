"""Models that are ready to compute: opened, checked against the protocol, moved, rewritten."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from vanbench.checkpoints.weights import PLAIN
from vanbench.errors import ScoringError
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.inference.autotune import resolve_config
from vanbench.inference.optimized import compiled, optimize
from vanbench.model.torchvision_architecture import AnyArchitecture
from vanbench.model.van import VAN
from vanbench.zoo.entries import EvaluationProtocol


@dataclass(frozen=True)
class ReadyModel:
    """A model that is ready to compute, and what else decides its predictions.

    ``as_it_is``: it is no VAN, so that the reference is what computes.
    """

    model: nn.Module = field(repr=False)
    sha256: str
    layer_norm_eps: float | None
    weights: str = PLAIN
    as_it_is: bool = False


def resolve(options: RunOptions, device: torch.device) -> RunOptions:
    """The options with the rewrite's config decided: the given one, or a short trial's.

    With several processes, the first one decides while the others wait.
    """
    if options.reference:
        return options
    config = options.team.at_first(
        lambda: resolve_config(
            options.rewrite, device, options.precision, options.compile, options.on_message
        )
    )
    return replace(options, rewrite=config)


def prepare(model: nn.Module, device: torch.device, options: RunOptions) -> nn.Module:
    """The module that computes: the exact rewrite of a VAN for inference, or the model itself."""
    model = model.to(device)
    if not isinstance(model, VAN):
        return model.to(memory_format=torch.channels_last)
    if options.reference:
        return model
    return (compiled if options.compile else optimize)(model, config=options.rewrite)


def open_ready(candidate: Candidate, device: torch.device, options: RunOptions) -> ReadyModel:
    """The candidate's model ready to compute.

    Nothing refers to its checkpoint afterwards, so that each model is held once.
    """
    checkpoint = candidate.open()
    refuse_head(checkpoint.architecture, candidate.protocol)
    checkpoint.warn()
    if checkpoint.choice:
        options.on_note(f"{checkpoint.path.name}: {checkpoint.choice}.")
    model = prepare(checkpoint.model, device, options)
    return ReadyModel(
        model,
        checkpoint.sha256,
        checkpoint.layer_norm_eps,
        checkpoint.weights,
        as_it_is=not isinstance(checkpoint.model, VAN),
    )


def refuse_head(architecture: AnyArchitecture, protocol: EvaluationProtocol) -> None:
    """ScoringError if such a model cannot be scored over the protocol's classes."""
    wanted, found = len(protocol.class_ids), architecture.num_classes
    if found != wanted:
        head = f"a head of {found} classes" if found else "no classification head"
        raise ScoringError(
            f"expected a head of {wanted} classes for Top-1/Top-5, found {head}",
            remedy="Pre-trained backbones are for fine-tuning and cannot be validated as they are.",
        )
