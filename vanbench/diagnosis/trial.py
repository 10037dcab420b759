"""A sample of a validation set under every plausible mistake: which images are right under each.

All mistakes see the same images, so that chance in the choice of images is shared by all.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from vanbench.checkpoints.load import Checkpoint, model_from_state
from vanbench.checkpoints.weights import EMA, PLAIN
from vanbench.data.layouts.images import ImageSet
from vanbench.data.open import open_images
from vanbench.data.published import size_findings
from vanbench.devices import choose_device
from vanbench.diagnosis.mistakes import ClassOrder, Preprocessing, class_orders, preprocessings
from vanbench.errors import located
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.estimate import WORTH_SAYING, estimate_text, try_models
from vanbench.evaluation.plan import Candidate, RunOptions, spread
from vanbench.evaluation.predict import BatchPredictions, piece_size, predict
from vanbench.evaluation.ready import refuse_head
from vanbench.evaluation.resume import Work
from vanbench.inference.optimized import optimize
from vanbench.interrupts import keeping
from vanbench.model.van import VAN
from vanbench.progress import Progress, silent

AS_IS = "the protocol as it is"
FEWER = 500  # images of a quick sample
EPSILONS = (1e-5, 1e-6)
OTHER_WEIGHTS = {
    PLAIN: "averaged (EMA) weights in place of the plain ones",
    EMA: "plain weights in place of the averaged (EMA) ones",
}


@dataclass(frozen=True)
class TrialResult:
    """Whether each sampled image is right (Top-1), by mistake, of a set of ``total`` images.

    ``untried`` has the mistakes that cannot be made here, with the reason, and ``data`` what is
    known to be wrong with the data set without reading the images.
    """

    right: Mapping[str, Sequence[bool]]
    total: int
    untried: Mapping[str, str]
    data: Sequence[str] = ()

    @property
    def images(self) -> int:
        """How many images were sampled."""
        return len(self.right[AS_IS])


def run_trial(
    candidate: Candidate, data: Path, options: RunOptions, progress: Progress = silent
) -> TrialResult:
    """Run the candidate over the set at ``data`` as it should be, and under each mistake.

    ``options.limit`` is the size of the sample, which is spread evenly over the set.
    """
    images = open_images(data, candidate.protocol.class_ids)
    indices = images.storage_order(spread(len(images), options.limit))
    checkpoint = candidate.open()
    refuse_head(checkpoint.architecture, candidate.protocol)
    models, untried = _models(checkpoint)
    orders = class_orders(candidate.protocol, images.path)
    untried |= {name: why for name, why in orders.items() if isinstance(why, str)}
    answers: dict[str, dict[int, int]] = {}
    variants = {AS_IS: Preprocessing(candidate.protocol), **preprocessings(candidate.protocol)}
    done, device = 0, choose_device(options.device)
    ready = {name: optimize(model.to(device)) for name, model in models.items()}
    _note_estimate(ready, variants, images, indices, device, options)
    batches = _batches(ready, variants, images, indices, device, options)
    kept = keeping(lambda: "Nothing is kept. A smaller --sample takes less time.")
    with kept, progress("diagnosing", "images") as update, closing(batches):
        update(0, len(variants) * len(indices))
        for batch in batches:
            for error in batch.failures.values():
                raise error
            done += len(batch.indices)
            update(done, len(variants) * len(indices))
            for name, top in batch.top.items():
                chosen = zip(batch.indices, top[:, 0].tolist(), strict=True)
                answers.setdefault(name, {}).update(chosen)
    right = _right_answers(answers, images, indices, orders)
    return TrialResult(right, len(images), untried, _faults(images))


def _faults(images: ImageSet) -> list[str]:
    """What is wrong with a data set, as far as it is known without reading the images."""
    return [str(f) for f in (*images.findings, *size_findings(images)) if f.fault]


def _models(checkpoint: Checkpoint) -> tuple[dict[str, VAN], dict[str, str]]:
    """The model itself and mistaken ones by name; and why other mistakes cannot be made."""
    models = {AS_IS: checkpoint.van}
    eps = float(checkpoint.van.stages[0].norm.eps)  # type: ignore[union-attr, arg-type]
    for other in EPSILONS:
        if not math.isclose(other, eps):
            name = f"LayerNorm's eps {other:g} in place of {eps:g}"
            models[name] = model_from_state(checkpoint.state, layer_norm_eps=other)
    name = OTHER_WEIGHTS[checkpoint.weights]
    if checkpoint.other is None:
        return models, {name: "the file has weights of one kind only"}
    with located(checkpoint.path):
        models[name] = model_from_state(checkpoint.other, layer_norm_eps=eps)
    return models, {}


def _note_estimate(
    ready: Mapping[str, nn.Module],
    variants: Mapping[str, Preprocessing],
    images: ImageSet,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
) -> None:
    """Tell ``options.on_note`` how long it takes, if it is worth saying."""
    alone = Work((AS_IS,), list(indices))
    work = [Work(tuple(ready), list(indices)), *[alone] * (len(variants) - 1)]
    trial = try_models(ready, images, variants[AS_IS].protocol, work, device, options)
    if trial is None or (seconds := trial.of(work)) < WORTH_SAYING:
        return
    fewer = seconds * min(FEWER, len(indices)) / len(indices)
    count = f"{len(variants)} variants × {len(indices):,} images"
    option = f"--sample {FEWER}"
    text = estimate_text(seconds, count, 0, len(indices), device, fewer, option)
    options.on_note(text)


def _batches(
    ready: Mapping[str, nn.Module],
    variants: Mapping[str, Preprocessing],
    images: ImageSet,
    indices: Sequence[int],
    device: torch.device,
    options: RunOptions,
) -> Generator[BatchPredictions, None, None]:
    """The predictions of every model as it should be run, and of the plain one by each mistake."""
    for name, variant in variants.items():
        chosen = ready if name == AS_IS else {name: ready[AS_IS]}
        pieces = in_pieces(indices, piece_size(device, options))
        yield from predict(
            chosen, images, variant.protocol, pieces, device, options, pixels_of=variant.pixels_of
        )


def _right_answers(
    answers: Mapping[str, Mapping[int, int]],
    images: ImageSet,
    indices: Sequence[int],
    orders: Mapping[str, ClassOrder | str],
) -> dict[str, list[bool]]:
    """Whether each sampled image is right, by mistake."""
    right = {
        name: [chosen[index] == images.labels[index] for index in indices]
        for name, chosen in answers.items()
    }
    for name, order in orders.items():
        if isinstance(order, ClassOrder):
            right[name] = [
                answers[AS_IS][index] == order.indices[images.labels[index]] for index in indices
            ]
    return right
