"""Mistakes of colour, detail, weights, eps and class order, planted in drawn images."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from tests.support import drawing
from tests.support.arranged import CROP, SHORT, checkpoint, picture
from tests.support.mistakes import (
    EMA,
    PLANTED,
    RUN,
    assert_named_first,
    candidate_of,
    choices,
    network_input,
    top1,
)
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import OPENMMLAB, from_native
from vanbench.checkpoints.load import open_checkpoint
from vanbench.diagnosis.mistakes import class_orders, imagenet_class_names
from vanbench.diagnosis.trial import AS_IS, run_trial
from vanbench.evaluation.plan import Candidate
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.reported import Reported

CLASSES = tuple(f"class-{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7))


def spread_out(model, encoded):
    """Scale and shift the head so that every class is somebody's first choice."""
    batch = torch.from_numpy(np.stack([network_input(image) for image in encoded]))
    logits = model(batch)
    model.head.weight.div_(logits.std(0)[:, None])
    model.head.bias.sub_(logits.mean(0)).div_(logits.std(0))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A network that sees colours and fine detail, whose file has other averaged weights."""
    root = tmp_path_factory.mktemp("drawn")
    encoded = [picture(seed) for seed in range(132)]
    model = randomized(seed=3)
    last = model.stages[3]  # with small features, so that LayerNorm's eps matters
    for tensor in (last.patch_embed.norm.weight, last.patch_embed.norm.bias):
        tensor.mul_(2e-3)
    for block in last.blocks:
        block.layer_scale1.mul_(2e-3)
        block.layer_scale2.mul_(2e-3)
    spread_out(model, encoded)
    averaged = randomized(seed=4)
    states = {
        key: from_native(m.state_dict(), OPENMMLAB)
        for key, m in (("state_dict", model), ("state_dict_ema", averaged))
    }
    torch.save(states, root / "van.pth")
    right = choices(model, encoded)
    labels = [(c + 1 + i % 9) % 10 if i % 6 == 0 else c for i, c in enumerate(right)]
    for number, (image, label) in enumerate(zip(encoded, labels, strict=True)):
        folder = root / "images" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04d}.jpg").write_bytes(image)
    protocol = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
    candidate = candidate_of("van", root / "van.pth", protocol)
    return run_trial(candidate, root / "images", RUN), model, averaged, encoded, labels


FINE = ("bilinear resizing", "blue and red swapped (BGR)",
        "resized without antialiasing, as OpenCV and tensors do")  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_mistakes_of_colour_and_detail_are_named_first(name, drawn):
    found, model, _, encoded, labels = drawn
    assert_named_first(found, top1(choices(model, encoded, **PLANTED[name]), labels), name)


def test_averaged_weights_are_named_first(drawn):
    found, _, averaged, encoded, labels = drawn
    assert_named_first(found, top1(choices(averaged, encoded), labels), EMA)


def test_another_epsilon_is_named_first(drawn):
    found, model, _, encoded, labels = drawn
    other = randomized(layer_norm_eps=1e-6)
    other.load_state_dict(model.state_dict())
    name = "LayerNorm's eps 1e-06 in place of 1e-05"
    assert_named_first(found, top1(choices(other, encoded), labels), name)


def test_other_class_orders_are_named_first(drawn):
    found, model, _, encoded, labels = drawn
    chosen = choices(model, encoded)
    by_name = [sorted(CLASSES).index(CLASSES[label]) for label in labels]
    assert_named_first(found, top1(chosen, by_name), "classes sorted by name")
    shifted = [label + 1 for label in labels]
    name = "class indices one too high (a stray folder before them)"
    assert_named_first(found, top1(chosen, shifted), name)


ORDERS = {
    "classes in the devkit's order": drawing.devkit_order(),
    "classes sorted by name": [
        wnid for _, wnid in sorted(zip(imagenet_class_names(), imagenet_1k(), strict=True))
    ],
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_of_imagenets_classes_is_named_first(name, tmp_path):
    """Images under the classes that make a network right in that order, for three of four."""
    model = randomized(replace(TINY, num_classes=1000))
    (tmp_path / "van.pth").write_bytes(checkpoint(model))
    encoded = [picture(seed) for seed in range(40)]
    pictures = [
        drawing.Picture(f"{i:04d}.jpg", ORDERS[name][(best + (i % 4 == 0)) % 1000], image)
        for i, (best, image) in enumerate(zip(choices(model, encoded), encoded, strict=True))
    ]
    drawing.class_folders(tmp_path / "data" / "val", pictures)
    kit = tmp_path / "data" / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    for file, content in drawing.devkit_files().items():
        (kit / file).write_bytes(content)
    candidate = candidate_of(
        "van", tmp_path / "van.pth", EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP)
    )
    found = run_trial(candidate, tmp_path / "data", RUN)
    assert_named_first(found, Reported("75.00"), name)


def test_what_cannot_be_tried_is_named_with_its_reason(demo, tmp_path):
    assert demo[0].untried[EMA] == "the file has weights of one kind only"
    assert "already in that order" in demo[0].untried["classes sorted by name"]
    reason = class_orders(EvaluationProtocol(), tmp_path)["classes in the devkit's order"]
    assert reason == "no devkit beside the data says what that order is"


def test_plain_weights_are_a_mistake_where_the_averaged_ones_were_taken(tmp_path):
    plain, averaged = randomized(seed=3), randomized(seed=4)
    states = {
        key: from_native(m.state_dict(), OPENMMLAB)
        for key, m in (("state_dict", plain), ("state_dict_ema", averaged))
    }
    torch.save(states, tmp_path / "van.pth")
    encoded = [picture(seed) for seed in range(12)]
    folder = tmp_path / "images" / CLASSES[0]
    folder.mkdir(parents=True)
    for number, content in enumerate(encoded):
        (folder / f"{number:02d}.jpg").write_bytes(content)
    protocol = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
    opened = partial(open_checkpoint, tmp_path / "van.pth", weights="ema")
    found = run_trial(Candidate("van", protocol, opened), tmp_path / "images", RUN)
    name = "plain weights in place of the averaged (EMA) ones"
    assert found.right[name] == [choice == 0 for choice in choices(plain, encoded)]
    assert found.right[AS_IS] == [choice == 0 for choice in choices(averaged, encoded)]
    assert EMA not in found.right


def test_the_time_of_all_variants_is_estimated(drawn, tmp_path, monkeypatch):
    """Each variant runs all images, as the protocol says also under the other models."""
    monkeypatch.setattr("vanbench.diagnosis.trial.WORTH_SAYING", 0.0)
    monkeypatch.setattr("vanbench.evaluation.estimate.WORTH_SAYING", 0.0)
    _, _, _, encoded, labels = drawn
    for number, (image, label) in enumerate(zip(encoded, labels, strict=True)):
        folder = tmp_path / "images" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04d}.jpg").write_bytes(image)
    torch.save(from_native(randomized(seed=3).state_dict(), OPENMMLAB), tmp_path / "van.pth")
    protocol = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
    notes = []
    options = replace(RUN, on_note=notes.append)
    found = run_trial(
        candidate_of("van", tmp_path / "van.pth", protocol), tmp_path / "images", options
    )
    assert found.images == len(encoded)
    (note,) = notes
    assert re.fullmatch(r"≈ \d+ s on this CPU for \d+ variants × 132 images\.", note)
