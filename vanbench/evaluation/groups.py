"""The models of a run in groups of one protocol, each in its runtime, with the images they see."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from vanbench.checkpoints.load import Checkpoint
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.errors import VanbenchError, unexpected_as_errors
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.ready import ReadyModel, TrialOn, open_ready, trial_on
from vanbench.evaluation.run_key import masked_rule, numerics_of, run_key, validation_environment
from vanbench.prediction_store.store import Store
from vanbench.progress import Progress
from vanbench.report.records import ValidationEnvironment
from vanbench.runtimes.choose import CONTENDERS, Chosen
from vanbench.zoo.entries import EvaluationProtocol

Group = tuple[ImageSet, EvaluationProtocol, Mapping[str, ReadyModel]]
"""Images, and the models that see them under one protocol."""


def prepare_groups(
    candidates: Sequence[Candidate],
    data: Path,
    device: torch.device,
    options: RunOptions,
    progress: Progress,
) -> tuple[list[Group], dict[str, VanbenchError]]:
    """The models by protocol, and why others cannot run. All processes get the same ones."""
    groups: list[Group] = []
    errors: dict[str, VanbenchError] = {}
    about = validation_environment(device)
    with progress("preparing models", "models") as update:
        for protocol in dict.fromkeys(candidate.protocol for candidate in candidates):
            ready: dict[str, ReadyModel] = {}
            of_protocol = [each for each in candidates if each.protocol == protocol]
            try:
                with unexpected_as_errors():
                    images, trial = options.team.agree(
                        partial(_open_images, data, protocol, device, options)
                    )
            except VanbenchError as error:
                errors |= {candidate.name: error for candidate in of_protocol}
                continue
            for candidate in of_protocol:
                update(len(errors) + len(ready), len(candidates), candidate.name)
                stored = partial(_stored_runtimes, images, protocol, device, options, about)
                try:
                    with unexpected_as_errors():
                        model = open_ready(candidate, device, options, trial, stored)
                        ready[candidate.name] = model
                except VanbenchError as error:
                    errors[candidate.name] = error
            if ready:
                groups.append((images, protocol, ready))
    return groups, errors


def _open_images(
    data: Path, protocol: EvaluationProtocol, device: torch.device, options: RunOptions
) -> tuple[ImageSet, TrialOn]:
    """The images, and a few of them for the choice of a runtime."""
    images = open_images(data, protocol.class_ids)
    return images, trial_on(images, protocol, device, options)


def _stored_runtimes(
    images: ImageSet,
    protocol: EvaluationProtocol,
    device: torch.device,
    options: RunOptions,
    about: ValidationEnvironment,
    checkpoint: Checkpoint,
) -> list[str]:
    """The runtimes with stored predictions of a checkpoint, which a resumed run goes on with."""
    if options.store is None or options.fresh or not options.store.exists():
        return []
    with Store(options.store, create=False) as store:
        known = {run.key.identity for run in store.runs()}
    found = []
    for name in CONTENDERS:
        key = run_key(
            checkpoint.sha256,
            checkpoint.weights,
            checkpoint.layer_norm_eps,
            protocol,
            numerics_of(device, options.precision, Chosen(name, options.rewrite)),
            about,
            chosen_among=masked_rule(images),
        )
        if key.identity in known:
            found.append(name)
    return found
