"""Rows of stored runs: each has the class ids of its own run."""

from dataclasses import replace

import pytest

from tests.support.arranged import arrange
from tests.support.models import TINY, randomized
from tests.support.runs import (
    AMONG5,
    CLASSES,
    PROTOCOL,
    RIGHT,
    TOTAL,
    WRONG,
    store_run,
    with_classes,
)
from vanbench.errors import RecordError, UnknownRunError
from vanbench.prediction_store.prediction import Prediction, Tally
from vanbench.prediction_store.rows import find_run, stored_rows, stored_tally
from vanbench.prediction_store.store import FILE, RunKey, Store


@pytest.fixture(scope="module")
def model():
    return randomized(seed=0)


def by_run(path):
    """The counts, and the class and choices of each image, of each stored run."""
    with Store(path) as store:
        return [
            (
                stored_tally(store, run),
                {row.name: (row.wnid, row.top) for row in stored_rows(store, run)},
            )
            for run in store.runs()
        ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_runs_over_the_same_images_with_other_lists_of_classes(order, model, tmp_path):
    """The same fingerprint; the labels count in a list of ten and in a list of a thousand."""
    data = arrange(tmp_path / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    thousand = [f"other-{i}" for i in range(1000)]
    thousand[500:510] = CLASSES
    wide = randomized(replace(TINY, num_classes=1000), seed=5)
    runs = [(model, PROTOCOL), (wide, with_classes(*thousand))]
    store = tmp_path / FILE
    found = [store_run(runs[i][0], f"{i:064x}", data, store, runs[i][1]) for i in order]
    assert found[0].data.fingerprint == found[1].data.fingerprint
    listed = by_run(store)
    for result, (tally, rows) in zip(found, listed, strict=True):
        assert tally == result.tallies["van_a"]
        assert len(rows) == TOTAL
        assert all(wnid == name.split("/")[0] for name, (wnid, _) in rows.items())
        assert sum(top[0] == wnid for wnid, top in rows.values()) == tally.correct1
    narrow = listed[order.index(0)]
    assert narrow[0] == Tally(TOTAL, RIGHT, RIGHT + AMONG5)
    assert {class_id for _, top in narrow[1].values() for class_id in top} <= set(CLASSES)


def test_class_ids_with_spaces(model, tmp_path):
    classes = ["hot dog", "cat", "ice cream", *(f"a thing {i}" for i in range(7))]
    data = arrange(tmp_path / "data", model, classes, RIGHT, AMONG5, WRONG)
    store_run(model, "aa" * 32, data, tmp_path / FILE, with_classes(*classes))
    ((tally, rows),) = by_run(tmp_path / FILE)
    assert tally == Tally(TOTAL, RIGHT, RIGHT + AMONG5)
    assert all(wnid == name.split("/")[0] for name, (wnid, _) in rows.items())


def test_the_names_are_those_of_the_layout_that_was_used_last(model, tmp_path):
    data = arrange(tmp_path / "data", model, list(CLASSES), RIGHT, AMONG5, WRONG)
    store = tmp_path / FILE
    store_run(model, "aa" * 32, data, store)
    for path in sorted(data.rglob("*.jpg")):
        path.rename(path.with_name(f"renamed_{path.name}"))
    again = store_run(model, "aa" * 32, data, store)
    assert again.computed == 0
    ((tally, rows),) = by_run(store)
    assert tally.correct1 == RIGHT
    assert all("/renamed_" in name for name in rows)


def test_a_run_is_found_by_number_and_by_its_models_name(tmp_path):
    with Store(tmp_path / FILE) as store:
        for number in range(3):
            run = store.run("abba"[number], RunKey(f"{number}", {}, {}), "2026-01-01")
            image = store.image_ids({0: "aa" * 32})[0]
            store.add([(run, image, Prediction((1,), (0.0,)))])
        assert [find_run(store, name).id for name in ("2", "a", "b")] == [2, 1, 3]
        with pytest.raises(UnknownRunError, match=r"found '9'\. The stored runs are: 1 \(a\), 2"):
            find_run(store, "9")
        run = find_run(store, "2")
        assert stored_tally(store, run) == Tally()
        with pytest.raises(RecordError, match="expected a data set that run 2 was applied to"):
            list(stored_rows(store, run))


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("VAN-B0.in1k", 3),
        ("van-b0", 3),
        ("van_b4.IN1K", 1),
        ("VAN_B4.in21k", 2),
        ("van_b4", None),  # two models
        ("my_van", 4),
        ("", None),
    ],
)
def test_a_run_by_its_models_name_in_another_spelling(run, found):
    with Store() as store:
        for number, name in enumerate(["van_b4.in1k", "van_b4.in21k", "van_b0.in1k", "my-van.pth"]):
            new = store.run(name, RunKey(f"{number}", {}, {}), "2026-01-01")
            image = store.image_ids({0: "aa" * 32})[0]
            store.add([(new, image, Prediction((1,), (0.0,)))])
        if found is None:
            with pytest.raises(
                UnknownRunError, match=r"The stored runs are: 1 \(van_b4\.in1k\), 2"
            ):
                find_run(store, run)
        else:
            assert find_run(store, run).id == found
