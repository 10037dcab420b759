"""The models of a run in groups of one protocol, each in its runtime, with the images they see."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from vanbench.checkpoints.load import Checkpoint
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.devices import INT8
from vanbench.errors import VanbenchError, unexpected_as_errors
from vanbench.evaluation.calibrate import FEW, CalibrationImages, calibration_images
from vanbench.evaluation.plan import AnyCandidate, RunOptions
from vanbench.evaluation.ready import ReadyModel, TrialOn, open_ready, trial_on
from vanbench.evaluation.run_key import masked_rule, numerics_of, run_key, validation_environment
from vanbench.prediction_store.store import Store
from vanbench.progress import Progress, counted
from vanbench.runtimes.choose import CONTENDERS, Chosen
from vanbench.zoo.entries import EvaluationProtocol

Group = tuple[ImageSet, EvaluationProtocol, Mapping[str, ReadyModel]]
"""Images, and the models that see them under one protocol."""


def prepare_groups(
    candidates: Sequence[AnyCandidate],
    data: Path,
    device: torch.device,
    options: RunOptions,
    progress: Progress,
) -> tuple[list[Group], dict[str, VanbenchError]]:
    """The models by protocol, and why others cannot run. All processes get the same ones."""
    groups: dict[EvaluationProtocol, dict[str, ReadyModel]] = {}
    errors: dict[str, VanbenchError] = {}
    seen = _Seen(data, device, options)
    with progress("preparing models", "models") as update:
        for number, candidate in enumerate(candidates):
            update(number, len(candidates), candidate.name)
            try:
                with unexpected_as_errors():
                    ready = open_ready(
                        candidate,
                        device,
                        options,
                        partial(seen.trial, candidate.protocol),
                        partial(seen.stored_runtimes, candidate.protocol),
                        partial(seen.calibration, candidate.protocol),
                    )
                    seen.images(candidate.protocol)
                    groups.setdefault(candidate.protocol, {})[candidate.name] = ready
            except VanbenchError as error:
                errors[candidate.name] = error
    return [
        (seen.images(protocol), protocol, models) for protocol, models in groups.items()
    ], errors


class _Seen:
    """The images of a run under each protocol, opened once, when they are asked for."""

    def __init__(self, data: Path, device: torch.device, options: RunOptions):
        self.data, self.device, self.options = data, device, options
        self._images: dict[EvaluationProtocol, ImageSet | VanbenchError] = {}
        self._trials: dict[EvaluationProtocol, TrialOn] = {}
        self._calibrations: dict[EvaluationProtocol, CalibrationImages] = {}

    def images(self, protocol: EvaluationProtocol) -> ImageSet:
        """The set; DataError, each time again, if it cannot be used."""
        if protocol not in self._images:
            try:
                with unexpected_as_errors():
                    self._images[protocol] = self.options.team.agree(
                        lambda: open_images(self.data, protocol.class_ids)
                    )
            except VanbenchError as error:
                self._images[protocol] = error
        found = self._images[protocol]
        if isinstance(found, VanbenchError):
            raise found
        return found

    def trial(self, protocol: EvaluationProtocol) -> TrialOn:
        """A few images, by which ``auto`` chooses."""
        images = self.images(protocol)
        if protocol not in self._trials:
            self._trials[protocol] = self.options.team.agree(
                lambda: trial_on(images, protocol, self.device, self.options)
            )
        return self._trials[protocol]

    def calibration(self, protocol: EvaluationProtocol) -> CalibrationImages | None:
        """The images that int8 is calibrated on; None for another precision."""
        if self.options.precision != INT8:
            return None
        images = self.images(protocol)
        if protocol not in self._calibrations:
            self._calibrations[protocol] = self.options.team.agree(
                lambda: calibration_images(images, protocol, self.options.calibration)
            )
            count = self._calibrations[protocol].about.images
            if count < FEW:
                self.options.on_note(
                    f"int8 is calibrated on {counted(count, 'image')} only; {FEW} or more give an "
                    "accuracy that hardly depends on which."
                )
        return self._calibrations[protocol]

    def stored_runtimes(
        self, protocol: EvaluationProtocol, checkpoint: Checkpoint
    ) -> Collection[str]:
        """The runtimes with stored predictions of a checkpoint, for half of the images or more.

        A resumed run goes on with the one that has most of them.
        """
        options, images = self.options, self.images(protocol)
        if options.store is None or options.fresh or not options.store.exists():
            return []
        with Store(options.store, create=False) as store:
            stored = {run.key.identity: run.images for run in store.runs()}
        enough = min(len(images), options.limit or len(images)) / 2
        about = validation_environment(self.device)
        calibrated = self.calibration(protocol)
        about_int8 = calibrated.about if calibrated else None

        def count(name: str) -> int:
            chosen = Chosen(name, options.rewrite, calibration=about_int8)
            key = run_key(
                checkpoint.sha256,
                checkpoint.weights,
                checkpoint.layer_norm_eps,
                protocol,
                numerics_of(self.device, options.precision, chosen),
                about,
                chosen_among=masked_rule(images),
            )
            return stored.get(key.identity, 0)

        counts = {name: count(name) for name in CONTENDERS}
        most_first = sorted(CONTENDERS, key=lambda name: -counts[name])
        return [name for name in most_first if counts[name] >= enough]
