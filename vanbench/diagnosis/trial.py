"""A sample of a validation set under every plausible mistake: which images are right under each.

All mistakes see the same images, so that chance in the choice of images is shared by all.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from vanbench.checkpoints.load import about, load_model, model_from_state
from vanbench.checkpoints.state_dict import EMA, has_ema, read_state_dict
from vanbench.data.open import ImageSet, open_images
from vanbench.diagnosis.mistakes import ClassOrder, Preprocessing, class_orders, preprocessings
from vanbench.download.obtain import Progress, silent
from vanbench.evaluation.predict import (
    Predictions,
    choose_device,
    default_batch_size,
    default_workers,
    predict,
)
from vanbench.evaluation.validate import Candidate, Run, refuse_head, spread
from vanbench.inference.optimized import optimize
from vanbench.model.van import VAN

AS_IS = "the protocol as it is"
EPSILONS = (1e-5, 1e-6)


@dataclass(frozen=True)
class Survey:
    """Whether each sampled image is right (Top-1), by mistake, of a set of ``total`` images.

    ``untried`` has the mistakes that cannot be made here, with the reason.
    """

    right: Mapping[str, Sequence[bool]]
    total: int
    untried: Mapping[str, str]

    @property
    def images(self) -> int:
        """How many images were sampled."""
        return len(self.right[AS_IS])


def survey(candidate: Candidate, data: Path, run: Run, progress: Progress = silent) -> Survey:
    """Run the candidate over the set at ``data`` as it should be, and under each mistake.

    ``run.limit`` is the size of the sample, which is spread evenly over the set.
    """
    images = open_images(data, candidate.protocol.class_ids)
    indices = images.storage_order(spread(len(images), run.limit))
    models, untried = _models(candidate)
    orders = class_orders(candidate.protocol, images.path)
    untried |= {name: why for name, why in orders.items() if isinstance(why, str)}
    answers: dict[str, dict[int, int]] = {}
    ways = {AS_IS: Preprocessing(candidate.protocol), **preprocessings(candidate.protocol)}
    done = 0
    with progress("diagnosing", "images") as update:
        for batch in _batches(models, ways, images, indices, run):
            done += len(batch.indices)
            update(done, len(ways) * len(indices))
            for name, top in batch.top.items():
                chosen = zip(batch.indices, top[:, 0].tolist(), strict=True)
                answers.setdefault(name, {}).update(chosen)
    return Survey(_judge(answers, images, indices, orders), len(images), untried)


def _models(candidate: Candidate) -> tuple[dict[str, VAN], dict[str, str]]:
    """The model as it is, and as it is by mistake; and the mistakes that cannot be made."""
    path = candidate.path
    model = load_model(path, layer_norm_eps=candidate.layer_norm_eps)
    refuse_head(model, candidate.protocol)
    eps = layer_norm_eps(model)
    models = {AS_IS: model}
    for other in EPSILONS:
        if not math.isclose(other, eps):
            name = f"LayerNorm's eps {other:g} in place of {eps:g}"
            models[name] = load_model(path, layer_norm_eps=other)
    name = "averaged (EMA) weights in place of the plain ones"
    if not has_ema(path):
        return models, {name: "the file has no averaged weights beside the plain ones"}
    with about(path):
        models[name] = model_from_state(read_state_dict(path, nest=EMA), layer_norm_eps=eps)
    return models, {}


def layer_norm_eps(model: VAN) -> float:
    """The epsilon of the model's LayerNorms."""
    return next(module.eps for module in model.modules() if isinstance(module, nn.LayerNorm))


def _batches(
    models: Mapping[str, VAN],
    ways: Mapping[str, Preprocessing],
    images: ImageSet,
    indices: Sequence[int],
    run: Run,
) -> Iterator[Predictions]:
    """What every model says as it should be run, and the plain one under each other way."""
    device = choose_device(run.device)
    ready = {name: optimize(model.to(device)) for name, model in models.items()}
    for name, way in ways.items():
        yield from predict(
            ready if name == AS_IS else {name: ready[AS_IS]},
            images,
            way.protocol,
            indices=indices,
            batch_size=run.batch_size or default_batch_size(device),
            workers=default_workers(device) if run.workers is None else run.workers,
            device=device,
            on_error=run.on_error,
            pixels_of=way.pixels_of,
        )


def _judge(
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
                answers[AS_IS][index] == order.believed[images.labels[index]] for index in indices
            ]
    return right
