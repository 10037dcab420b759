"""Arranged counts over V2, -A, -R, -Sketch and ReaL, each by its own rule."""

from dataclasses import replace

import pytest
import torch

from tests.support import other_sets
from tests.support.other_sets import AMONG5, IDS, RIGHT, WRONG, among, placed, ranked
from tests.support.runs import PROTOCOL, counts
from vanbench.data import real_labels
from vanbench.data.open import open_images
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.predict import _Runner
from vanbench.evaluation.ready import ReadyModel
from vanbench.evaluation.validate import validate
from vanbench.prediction_store.prediction import Tally
from vanbench.prediction_store.store import Store
from vanbench.zoo.other_sets import OTHER_SETS

THOUSAND = replace(PROTOCOL, classes="imagenet-1k")
TOTAL = RIGHT + AMONG5 + WRONG
MASKED = {
    key: [IDS.index(i) for i in OTHER_SETS[key].class_ids] for key in ("imagenet_a", "imagenet_r")
}


@pytest.fixture
def run(run):
    """With large batches: the sets with 200 classes have 200 images at least."""
    return replace(run, batch_size=64)


@pytest.fixture(scope="module")
def models():
    return {"a": ReadyModel(other_sets.thousand(), "aa" * 32, 1e-5)}


def test_masking_changes_the_first_choice():
    """By hand: of six classes only 1, 3 and 4 count, and the best of these is 4, not 0."""
    logits = torch.tensor([[9.0, 1.0, 8.0, 2.0, 5.0, 7.0]])
    assert Fixed(logits).best(None) == ([0, 2, 5, 4, 3], [9, 8, 7, 5, 2])
    assert Fixed(logits).best([1, 3, 4]) == ([4, 3, 1], [5, 2, 1])


class Fixed(torch.nn.Module):
    """A model that gives the same logits for any image."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits.expand(len(x), -1)

    def best(self, labels):
        """The classes and logits that the runner of a pass keeps."""
        runner = _Runner({"a": self}, PROTOCOL, labels, torch.device("cpu"), RunOptions())
        values, classes = runner._best("a", self, torch.zeros(1, 3, 8, 8))
        return classes[0].long().tolist(), values[0].tolist()


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (other_sets.imagenet_v2, "imagenet_v2_matched_frequency"),
        (other_sets.imagenet_sketch, "imagenet_sketch"),
    ],
)
def test_sets_with_all_classes_are_counted_like_imagenet_1k(make, key, models, run, tmp_path):
    root = make(tmp_path, placed())
    found = validate(models, root, THOUSAND, run)
    assert counts(found) == {"a": (TOTAL, RIGHT, RIGHT + AMONG5)}
    assert (found.data.other_set, found.partial, found.real) == (key, True, None)
    assert found.accuracy("a").data.other_set == key
    assert OTHER_SETS[key].title in found.describe()


@pytest.mark.parametrize("key", MASKED)
def test_only_the_logits_of_the_two_hundred_classes_count(key, models, run, tmp_path):
    make = {"imagenet_a": other_sets.imagenet_a, "imagenet_r": other_sets.imagenet_r}[key]
    labels = MASKED[key]
    pictures = placed(labels, cover=True)
    found = validate(models, make(tmp_path, pictures), THOUSAND, run)
    assert counts(found) == {"a": (len(pictures), RIGHT, RIGHT + AMONG5)}
    whole = Tally.of((one.label, ranked(one.seed)[:5]) for one in pictures)
    assert whole.correct1 < RIGHT  # without the mask fewer are right
    with Store(run.store, create=False) as store:
        (stored,) = store.runs()
        assert stored.key.protocol["chosen_among"] == key
        tops = {prediction.top for prediction in store.read(stored.id).values()}
    assert tops == {tuple(among(labels, one.seed)[:5]) for one in pictures}


def test_masked_predictions_are_a_run_of_their_own(models, run, tmp_path):
    """The same bytes as a part of ImageNet-1k, as ImageNet-A and -R: no prediction is shared."""
    pictures = placed(MASKED["imagenet_a"], cover=True)
    as_a = other_sets.imagenet_a(tmp_path, pictures)
    as_1k = other_sets.write(
        tmp_path / "1k", pictures[:-9], lambda n, one: f"{IDS[one.label]}/x{n}.jpg"
    )
    sketches = other_sets.imagenet_sketch(tmp_path, pictures[:-9])
    first = validate(models, as_1k, THOUSAND, run)
    assert first.data.other_set is None
    assert validate(models, as_a, THOUSAND, run).computed == len(pictures)
    assert "chosen_among" not in first.keys["a"].protocol
    again = validate(models, as_1k, THOUSAND, run)
    assert (again.computed, counts(again)) == (0, counts(first))
    assert validate(models, sketches, THOUSAND, run).computed == 0


# ReaL


def arranged_labels():
    """Labels for pictures 0 to 7, and what they make of each: None where they leave it out."""
    r = [ranked(seed) for seed in range(8)]
    return [
        ([r[0][0], 5], 1),
        ([r[1][700], r[1][3]], 5),
        ([], None),
        ([r[3][800]], 0),
        ([r[4][0]], 1),
        ([], None),
        ([r[6][900], r[6][2], r[6][4]], 5),
        ([r[7][5]], 0),
    ]


def test_any_of_several_labels_is_right_and_images_without_are_left_out(models, run, tmp_path):
    root = other_sets.imagenet(tmp_path, range(8))
    other_sets.real_json(tmp_path, [labels for labels, _ in arranged_labels()])
    found = validate(models, root, THOUSAND, run)
    assert found.real.tallies["a"] == Tally(images=6, correct1=2, correct5=4)
    assert found.tallies["a"].images == 8
    accuracy = found.real_accuracy("a")
    assert (accuracy.images, accuracy.correct1, accuracy.correct5) == (6, 2, 4)
    assert accuracy.data.other_set == "imagenet_real"
    assert found.accuracy("a").data.other_set is None
    assert found.as_json("a")["real"]["top1"] == pytest.approx(100 / 3)


def test_stored_predictions_are_counted_again_without_a_model_that_runs(models, run, tmp_path):
    root = other_sets.imagenet(tmp_path, range(8))
    before = validate(models, root, THOUSAND, run)
    assert (before.real, before.real_accuracy("a"), before.as_json("a")["real"]) == (None,) * 3
    other_sets.real_json(tmp_path, [labels for labels, _ in arranged_labels()])
    after = validate(models, root, THOUSAND, run)
    assert (after.computed, after.real.tallies["a"].correct1) == (0, 2)
    assert counts(after) == counts(before)


def test_a_part_of_the_images_is_counted_over_those_with_labels(models, run, tmp_path):
    root = other_sets.imagenet(tmp_path, range(8))
    other_sets.real_json(tmp_path, [labels for labels, _ in arranged_labels()])
    images = open_images(root, IDS)
    found = validate(models, root, THOUSAND, replace(run, limit=4))
    chosen = {images.names[i].split("_")[-1] for i in (0, 2, 4, 6)}
    arranged = [arranged_labels()[int(name[:8]) - 1] for name in chosen]
    kinds = [kind for _, kind in arranged if kind is not None]
    assert found.real.tallies["a"] == Tally(
        len(kinds), kinds.count(1), kinds.count(1) + kinds.count(5)
    )
    assert (found.real.data.used, found.real.data.total) == (len(kinds), 6)


def test_an_unreadable_image_with_labels_counts_as_wrong(models, run, tmp_path):
    root = other_sets.imagenet(tmp_path, range(8))
    other_sets.real_json(tmp_path, [labels for labels, _ in arranged_labels()])
    for number in (1, 3):  # right by its labels, and left out
        next(root.rglob(f"*_{number:08d}.JPEG")).write_bytes(b"")
    found = validate(models, root, THOUSAND, replace(run, on_error="count-wrong"))
    assert found.real.tallies["a"] == Tally(images=6, correct1=1, correct5=3)
    assert (len(found.data.unreadable), len(found.real.data.unreadable)) == (2, 1)


def test_with_the_published_labels_the_verdict_is_that_of_the_images(
    models, run, tmp_path, monkeypatch
):
    root = other_sets.imagenet(tmp_path, range(8))
    other_sets.real_json(tmp_path, [labels for labels, _ in arranged_labels()])
    digest = real_labels.find_real_labels(open_images(root, IDS)).digest
    monkeypatch.setattr(real_labels, "PUBLISHED", digest)
    found = validate(models, root, THOUSAND, run)
    assert (found.real.data.verdict, found.data.verdict) == ("subset", "subset")
    assert found.as_json("a")["real"]["partial"] is True
