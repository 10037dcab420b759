"""Models that are ready to compute: opened, checked against the protocol, in their runtime."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from vanbench.checkpoints.load import Checkpoint
from vanbench.checkpoints.weights import PLAIN
from vanbench.data.layouts.images import ImageSet
from vanbench.data.preprocess import normalize
from vanbench.devices import INT8
from vanbench.errors import ScoringError
from vanbench.evaluation.calibrate import CalibrationImages
from vanbench.evaluation.crops import CropsOf
from vanbench.evaluation.plan import (
    AnyCandidate,
    Candidate,
    ExportedCandidate,
    RunOptions,
    spread,
)
from vanbench.inference.autotune import resolve_config
from vanbench.inference.trial_cache import TrialCache
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import AnyArchitecture
from vanbench.model.van import VAN
from vanbench.runtimes.choose import REWRITTEN, Chosen, as_asked, choose
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import AUTO, COMPILED, REFERENCE
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.entries import EvaluationProtocol

TRIAL_IMAGES = 4  # of the data set, over which a runtime is compared with the reference
WORTH_A_TRIAL = 256  # images of a pass; with fewer, preparing all runtimes costs more than it saves


AS_IT_IS = Chosen(REFERENCE)


@dataclass(frozen=True)
class ReadyModel:
    """A model that is ready to compute, and what else decides its predictions."""

    model: nn.Module = field(repr=False)
    sha256: str
    layer_norm_eps: float | None
    weights: str = PLAIN
    chosen: Chosen = AS_IT_IS


@dataclass(frozen=True)
class TrialOn:
    """What ``auto`` chooses by: a few normalised images, and how many the pass is over."""

    pixels: Tensor
    total: int


def resolve(options: RunOptions, device: torch.device) -> RunOptions:
    """The options with the rewrite's config decided: the given one, or a short trial's.

    With several processes, the first one decides while the others wait.
    """
    if options.runtime not in (AUTO, *REWRITTEN):
        return options
    config = options.team.at_first(
        lambda: resolve_config(
            options.rewrite,
            device,
            options.precision,
            options.runtime == COMPILED,
            options.on_message,
            TrialCache(options.trials),
        )
    )
    return replace(options, rewrite=config)


def trial_on(
    images: ImageSet, protocol: EvaluationProtocol, device: torch.device, options: RunOptions
) -> TrialOn:
    """A few images, spread evenly over the set. One that cannot be read is a black one here."""
    source = CropsOf(images, protocol)
    indices = spread(len(images), TRIAL_IMAGES)
    pixels = torch.cat([source[index].pixels for index in indices]).to(device)
    x = normalize(pixels, protocol).contiguous(memory_format=torch.channels_last)
    return TrialOn(x, min(len(images), options.limit or len(images)))


StoredRuntimes = Callable[[Checkpoint], Collection[str]]
"""The runtimes that have stored predictions of a checkpoint, under the same conditions."""


def open_ready(
    candidate: AnyCandidate,
    device: torch.device,
    options: RunOptions,
    trial: Callable[[], TrialOn],
    stored: StoredRuntimes,
    calibration: Callable[[], CalibrationImages | None],
) -> ReadyModel:
    """The candidate's model in its runtime; every process of the team gets the same one.

    ``trial`` and ``stored`` are asked only for ``auto``, ``calibration`` only for int8. Nothing
    refers to the checkpoint afterwards, so that each model is held once.
    """
    if isinstance(candidate, ExportedCandidate):
        return options.team.agree(lambda: _exported(candidate))
    if options.runtime != AUTO and options.precision != INT8:
        return options.team.agree(lambda: open_asked(candidate, device, options))
    checkpoint = options.team.agree(lambda: _opened(candidate, options))
    model = checkpoint.model.to(device)
    if not isinstance(model, VAN):
        return _ready(checkpoint, *_as_it_is(model, options))
    calibrated = calibration()
    setting = _setting(candidate, device, options, calibrated)
    if options.runtime != AUTO:
        asked = options.team.agree(lambda: as_asked(model, setting, options.runtime))
        return _ready(checkpoint, *asked, calibrated)
    images = trial()
    made: list[nn.Module] = []

    def decide() -> Chosen:
        assert isinstance(checkpoint.architecture, Architecture)
        module, chosen = choose(
            model,
            checkpoint.architecture,
            images.pixels,
            setting,
            TrialCache(options.trials),
            worth_a_trial=images.total >= WORTH_A_TRIAL,
            preferred=stored(checkpoint),
        )
        made.append(module)
        return chosen

    chosen = options.team.at_first(decide)
    module = options.team.agree(
        lambda: made[0] if made else as_asked(model, setting, chosen.runtime)[0]
    )
    _tell(candidate.name, chosen, options)
    return _ready(checkpoint, module, chosen, calibrated)


def open_asked(
    candidate: Candidate,
    device: torch.device,
    options: RunOptions,
    calibrated: CalibrationImages | None = None,
) -> ReadyModel:
    """The candidate's model in the runtime that was asked for."""
    checkpoint = _opened(candidate, options)
    model = checkpoint.model.to(device)
    if not isinstance(model, VAN):
        return _ready(checkpoint, *_as_it_is(model, options))
    setting = _setting(candidate, device, options, calibrated)
    return _ready(checkpoint, *as_asked(model, setting, options.runtime), calibrated)


def _opened(candidate: Candidate, options: RunOptions) -> Checkpoint:
    checkpoint = candidate.open()
    refuse_head(checkpoint.architecture, candidate.protocol)
    checkpoint.warn()
    if checkpoint.choice:
        options.on_note(f"{checkpoint.path.name}: {checkpoint.choice}.")
    return checkpoint


def _exported(candidate: ExportedCandidate) -> ReadyModel:
    found = candidate.open()
    remedy = "Give a --zoo whose protocol has its classes (docs/own-model.md)."
    _refuse_classes(found.num_classes, candidate.protocol, remedy)
    return ReadyModel(
        found.model,
        found.sha256,
        found.layer_norm_eps,
        found.weights,
        Chosen(found.runtime, precision=found.precision),
    )


def _setting(
    candidate: Candidate,
    device: torch.device,
    options: RunOptions,
    calibrated: CalibrationImages | None,
) -> Setting:
    images = calibrated.images if calibrated else None
    side = candidate.protocol.center_crop
    return Setting(device, options.precision, side, options.rewrite, images)


def _ready(
    checkpoint: Checkpoint,
    module: nn.Module,
    chosen: Chosen,
    calibrated: CalibrationImages | None = None,
) -> ReadyModel:
    if calibrated:
        chosen = replace(chosen, calibration=calibrated.about)
    return ReadyModel(
        module, checkpoint.sha256, checkpoint.layer_norm_eps, checkpoint.weights, chosen
    )


def _as_it_is(model: nn.Module, options: RunOptions) -> tuple[nn.Module, Chosen]:
    """Another network than a VAN, which torch alone computes here."""
    elsewhere = options.runtime in RUNTIMES and RUNTIMES[options.runtime].extra
    if elsewhere or options.precision == INT8:
        raise ScoringError(
            f"expected a VAN, which is all that runtimes besides torch are given here, found "
            f"another network ({type(model).__name__})",
            remedy="Leave out --runtime, and --precision int8.",
        )
    return model.to(memory_format=torch.channels_last), AS_IT_IS


def _tell(name: str, chosen: Chosen, options: RunOptions) -> None:
    """Say in a line which runtime was chosen, and in one for each why others were not."""
    trial = chosen.trial
    if trial is None:
        return
    for refused, reason in trial.refused.items():
        options.on_note(f"{name}: the runtime {refused} is not used: {reason.rstrip('.')}.")
    text = f"{name}: runtime {chosen.runtime}"
    if chosen.error is not None:
        text += f", largest relative error {chosen.error:.0e}"
    if not trial.seconds:
        options.on_message(f"{text}.")
        return
    took = ", ".join(f"{other} {1e3 * seconds:.0f} ms" for other, seconds in trial.seconds.items())
    options.on_note(f"{text}; for the trial's images: {took}.")


def refuse_head(architecture: AnyArchitecture, protocol: EvaluationProtocol) -> None:
    """ScoringError if such a model cannot be scored over the protocol's classes."""
    remedy = "Pre-trained backbones are for fine-tuning and cannot be validated as they are."
    _refuse_classes(architecture.num_classes, protocol, remedy)


def _refuse_classes(found: int, protocol: EvaluationProtocol, remedy: str) -> None:
    wanted = len(protocol.class_ids)
    if found != wanted:
        head = f"a head of {found} classes" if found else "no classification head"
        raise ScoringError(
            f"expected a head of {wanted} classes for Top-1/Top-5, found {head}",
            remedy=remedy,
        )
