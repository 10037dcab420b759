"""Runs compared image by image."""

import time

import pytest

from tests.support.arranged import arrange
from tests.support.models import randomized
from tests.support.runs import (
    AMONG5,
    CLASSES,
    PROTOCOL,
    RIGHT,
    TOTAL,
    WRONG,
    predicted,
    row,
    store_run,
)
from vanbench.errors import DataError
from vanbench.prediction_store.compare import (
    RunPredictions,
    compare_runs,
    distinctions,
    flat_key,
    load_run,
    match,
    shorten,
)
from vanbench.prediction_store.export import write
from vanbench.prediction_store.rows import find_run, stored_rows
from vanbench.prediction_store.store import FILE, RunKey, Store


def test_every_kind_of_change_is_counted():
    first = predicted(
        "old",
        row("same", "p", "pqr"),
        row("gained", "p", "qpr", (5.0, 4.75, 1.0)),
        row("lost", "p", "prq"),
        row("neither", "p", "qrp"),
        row("gone", "p", "pqr"),
        torch="2.13",
        device="cpu",
    )
    second = predicted(
        "new",
        row("same", "p", "pqs", (5.5, 4.0, 3.0)),
        row("gained", "p", "pqr"),
        row("lost", "p", "qrp"),
        row("neither", "p", "rqp"),
        row("fresh", "p", "pqr"),
        row("fresher", "p", "pqr"),
        torch="2.14",
        device="cpu",
    )
    found = compare_runs(first, second)
    assert (found.images, found.only_first, found.only_second) == (4, 1, 2)
    assert (found.duplicates, found.relabelled) == (0, 0)
    assert (found.same_top1, found.same_top5, found.correct) == (1, 3, (2, 2))
    assert {flip.name: flip.effect for flip in found.flips} == {
        "gained": "gained",
        "lost": "lost",
        "neither": "neither",
    }
    assert (found.gained, found.lost, found.p) == (1, 1, 1.0)
    assert found.changed == {"torch": ("2.13", "2.14")}
    assert found.flips[0].margin == 0.25


def test_logits_are_compared_class_by_class():
    found = compare_runs(
        predicted("a", row("x", "p", "pq", (5.0, 4.0))),
        predicted("b", row("x", "p", "qp", (4.25, 4.125))),
    )
    assert found.largest_logit_difference == 0.875


def test_runs_over_different_images_cannot_be_compared():
    with pytest.raises(DataError, match="a and b have none in common"):
        compare_runs(predicted("a", row("x", "p", "p")), predicted("b", row("y", "p", "p")))


def test_where_labels_differ_only_predictions_are_compared():
    """Otherwise "gained 0, lost 0, p = 1" stood beside 375 and 3 correct."""
    first = predicted("a", *(row(f"{i}", "p", "pq", (2.0, 1.0)) for i in range(375)))
    second = predicted(
        "b", *(row(f"{i}", "p" if i < 3 else "q", "pq", (2.0, 1.0)) for i in range(375))
    )
    found = compare_runs(first, second)
    assert (found.relabelled, found.same_top1, found.flips) == (372, 375, ())
    assert (found.correct, found.gained, found.lost, found.p) == (None, None, None, None)
    document = found.as_dict()
    assert (document["relabelled"], document["correct"], document["mcnemar_p"]) == (372, None, None)


def test_a_flip_of_an_image_with_other_labels_is_neither_gained_nor_lost():
    found = compare_runs(
        predicted("a", row("x", "p", "pq", (2.0, 1.0)), row("y", "p", "pq", (2.0, 1.0))),
        predicted("b", row("x", "q", "qp", (2.0, 1.0)), row("y", "p", "qp", (2.0, 1.0))),
    )
    assert {flip.name: flip.effect for flip in found.flips} == {"x": None, "y": "lost"}
    assert found.gained is None


def test_every_image_counts_also_one_with_the_bytes_of_another():
    same = "ab" * 32
    first = [
        row("p/1", "p", "pq", (2.0, 1.0), same),
        row("p/2", "p", "pq", (2.0, 1.0), same),
        row("q/3", "q", "pq", (2.0, 1.0), same),
        row("p/4", "p", "pq", (2.0, 1.0)),
    ]
    found = compare_runs(predicted("a", *first), predicted("b", *reversed(first)))
    assert (found.images, found.duplicates, found.relabelled) == (4, 2, 0)
    assert found.correct == (3, 3)
    assert (found.only_first, found.only_second) == (0, 0)
    assert found.as_dict()["duplicates"] == 2


def test_images_with_equal_bytes_are_matched_by_name_then_class_then_in_order():
    same = "ab" * 32

    def rows(*names_and_classes):
        return [row(name, wnid, "p", (1.0,), same) for name, wnid in names_and_classes]

    ours = rows(("a", "p"), ("b", "q"), ("c", "p"), ("d", "s"), ("e", "q"))
    theirs = rows(("x", "q"), ("y", "p"), ("a", "q"), ("z", "r"))
    found = {a.name: b.name for a, b in match(ours, theirs)}
    assert found == {"a": "a", "b": "x", "c": "y", "d": "z"}


def test_many_images_with_equal_bytes_take_no_more_than_seconds():
    same = "ab" * 32
    rows = [row(f"{i}", "p", "p", (1.0,), same) for i in range(30_000)]
    others = [row(f"other {i}", "p", "p", (1.0,), same) for i in range(30_000)]
    start = time.perf_counter()
    assert len(match(rows, others)) == 30_000
    assert time.perf_counter() - start < 10


def test_what_changed_is_not_known_without_a_key():
    a, b = (
        RunPredictions(name, key, [row("x", "p", "pqr")]) for name, key in (("a", None), ("b", {}))
    )
    assert compare_runs(a, b).changed is None
    assert compare_runs(b, a).as_dict()["changed"] is None
    assert compare_runs(b, b).changed == {}


KEY = RunKey(
    "c0ffee",
    {"crop": 224, "mean": [1, 2]},
    {"torch": "2.14", "decoder": {"ok": True, "libraries": {"Pillow": "12"}, "differences": {}}},
)


def test_a_key_is_flat_with_dotted_names():
    assert flat_key(KEY) == {
        "checkpoint": "c0ffee",
        "protocol.crop": 224,
        "protocol.mean": [1, 2],
        "numerics.torch": "2.14",
        "numerics.decoder.ok": True,
        "numerics.decoder.libraries.Pillow": "12",
        "numerics.decoder.differences": {},
    }


def test_what_distinguishes_runs_is_what_not_all_have():
    other = RunKey("c0ffee", {"crop": 224, "mean": [1, 3]}, {"torch": "2.14"})
    names = ("protocol.mean", "numerics.decoder.ok")
    found = [{n: d[n] for n in names if n in d} for d in distinctions([KEY, other, KEY])]
    assert found == [
        {"protocol.mean": [1, 2], "numerics.decoder.ok": True},
        {"protocol.mean": [1, 3]},
        {"protocol.mean": [1, 2], "numerics.decoder.ok": True},
    ]
    assert distinctions([KEY, KEY]) == [{}, {}]
    assert distinctions([]) == []
    without = flat_key(KEY).keys() - {"protocol.mean"}
    assert distinctions([KEY, other], without) == [{"protocol.mean": m} for m in ([1, 2], [1, 3])]


def test_long_values_are_shortened_to_a_line():
    assert shorten("ab" * 32) == "ab" * 32
    assert shorten(1e-5) == "1e-05"
    text = shorten([f"class-{i}" for i in range(1000)])
    assert (len(text), text[:20], text[-1]) == (80, "['class-0', 'class-1", "…")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Runs of one file with two values of LayerNorm's eps, and of another file."""
    root = tmp_path_factory.mktemp("runs")
    model = randomized(seed=0)
    data = arrange(root / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, root / FILE)
    store_run(randomized(seed=0, layer_norm_eps=1e-6), "aa" * 32, data, root / FILE, eps=1e-6)
    store_run(randomized(seed=1), "bb" * 32, data, root / FILE, PROTOCOL)
    return root / FILE


def test_the_epsilon_that_a_run_computed_with_is_among_what_changed(store):
    found = compare_runs(load_run(store, "1"), load_run(store, "2"))
    assert found.changed == {"numerics.layer_norm_eps": (1e-5, 1e-6)}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("run", ["1", "2", "3"])
def test_nothing_changed_between_an_export_and_its_own_run(run, suffix, store, tmp_path):
    path = tmp_path / f"a.{suffix}"
    with Store(store) as opened:
        found = find_run(opened, run)
        write(path, stored_rows(opened, found), found)
    for pair in ((str(path), run), (run, str(path)), (str(path), str(path))):
        agreement = compare_runs(*(load_run(store, name) for name in pair))
        assert agreement.changed == {}
        assert (agreement.images, agreement.same_top1, agreement.same_top5) == (TOTAL,) * 3
        assert agreement.largest_logit_difference == 0
    other = compare_runs(load_run(store, str(path)), load_run(store, str(int(run) % 3 + 1)))
    assert other.changed


def test_a_csv_file_alone_does_not_say_what_changed(store, tmp_path):
    with Store(store) as opened:
        write(tmp_path / "a.csv", stored_rows(opened, find_run(opened, "1")))
    assert load_run(store, str(tmp_path / "a.csv")).key is None


@pytest.mark.parametrize(
    ("lost", "gained", "text"),
    [
        (3, 2, "5 of 1,000 images flipped; Top-1 −0.100 points; not more than chance (p = 1)"),
        (2, 12, "14 of 1,000 images flipped; Top-1 +1.000 points; more than chance (p = 0.013)"),
    ],
)
def test_the_conclusion_says_whether_flips_are_chance(lost, gained, text):
    right = [row(f"{i:04}", "p", "pq", (2.0, 1.0)) for i in range(1000)]
    wrong = [row(f"{i:04}", "p", "qp", (2.0, 1.0)) for i in range(1000)]
    before = [*right[: 1000 - gained], *wrong[1000 - gained :]]
    after = [*wrong[:lost], *right[lost:]]
    agreement = compare_runs(predicted("a", *before), predicted("b", *after))
    assert agreement.conclusion == text
