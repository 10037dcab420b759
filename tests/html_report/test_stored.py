"""What the stored predictions of models say."""

import pytest

from vanbench.html_report.stored import MOST_CLASSES, MOST_FLIPS, HardClass, summarize
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.schema import Member
from vanbench.prediction_store.store import RunKey, Store

CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def store():
    with Store() as store:
        yield store


def add(store, model, labels, choices, classes=CLASSES, offset=0, precision="fp32"):
    """A run of a model whose first choices are these; images are numbered from ``offset``."""
    key = RunKey(f"file of {model}", {}, {"precision": precision})
    run = store.run(model, key, "2026-01-01")
    content = {i: f"{i + offset:064x}" for i in range(len(labels))}
    ids = store.image_ids(content)
    members = [Member(ids[i], label, f"image-{i + offset}") for i, label in enumerate(labels)]
    store.remember_evaluation(run, store.remember_set("00", classes, members))
    rows = []
    for i, choice in enumerate(choices):
        other = (choice + 1) % len(classes)
        rows.append((run, ids[i], Prediction((choice, other), (2.0 + i, 1.0))))
    store.add(rows)


def test_the_hardest_classes_come_first_and_say_what_they_are_taken_for(store):
    add(store, "a", [0, 0, 0, 1, 1, 2], [1, 1, 2, 1, 0, 2])
    (model,) = summarize(store, ["a"]).models
    assert (model.model, model.images) == ("a", 6)
    assert model.classes == (HardClass("cat", 3, 0, "dog", 2), HardClass("dog", 2, 1, "cat", 1))


def test_flips_between_neighbouring_models_of_the_zoo(store):
    add(store, "b", [0, 1, 2, 2], [0, 0, 2, 0])
    add(store, "a", [0, 1, 2, 2], [1, 1, 2, 1])
    (pair,) = summarize(store, ["a", "absent", "b"]).pairs
    assert (pair.first, pair.second, pair.images) == ("a", "b", 4)
    assert (pair.gained, pair.lost, pair.p) == (1, 1, 1.0)
    found = [(f.name, f.before, f.after, f.effect) for f in pair.flips]
    assert found == [("image-1", "dog", "cat", "lost"), ("image-0", "dog", "cat", "gained")]


def test_runs_in_other_precisions_are_not_in_it(store):
    add(store, "a", [0, 1], [0, 1])
    add(store, "a", [0, 1], [1, 1], precision="bf16")
    add(store, "b", [0, 1], [1, 1], precision="bf16")
    (model,) = summarize(store, ["a", "b"]).models
    assert (model.model, model.run, model.classes) == ("a", 1, ())


def test_models_over_other_images_make_no_pair(store):
    add(store, "a", [0], [0])
    add(store, "b", [0], [0], offset=7)
    summary = summarize(store, ["a", "b"])
    assert len(summary.models) == 2
    assert summary.pairs == ()


def test_a_model_without_a_stored_run_is_not_in_it(store):
    add(store, "a", [0], [0])
    assert summarize(store, ["b"]).models == ()


def test_the_lists_are_bounded(store):
    n = 3 * MOST_FLIPS
    classes = tuple(f"class-{i}" for i in range(n))
    labels = list(range(n))
    add(store, "a", labels, [(label + 1) % n for label in labels], classes)
    add(store, "b", labels, labels, classes)
    summary = summarize(store, ["a", "b"])
    assert len(summary.models[0].classes) == MOST_CLASSES
    (pair,) = summary.pairs
    assert (pair.gained, len(pair.flips)) == (n, MOST_FLIPS)
