"""Validations with ``--cache-images``: nothing is decoded twice, and nothing else is predicted."""

import multiprocessing
import os
import shutil
from collections import namedtuple
from dataclasses import replace

import pytest

from tests.evaluation.test_kills import kill_after, logged, read
from tests.support.runs import CLASSES, PROTOCOL, TOTAL, counts, during
from vanbench.errors import DataError, VanbenchError
from vanbench.evaluation import estimate
from vanbench.evaluation.plan import COUNT_WRONG
from vanbench.evaluation.validate import validate
from vanbench.prediction_store.store import Store


@pytest.fixture
def own_data(data, tmp_path):
    """Images that may be changed."""
    return shutil.copytree(data, tmp_path / "images")


@pytest.fixture
def run(run, tmp_path):
    return replace(run, cache_images=tmp_path / "cache", fresh=True)


def predictions(path):
    """All that is stored: image and classes with their logits, by run."""
    with Store(path) as store:
        return [store.read(found.id, classes=len(CLASSES)) for found in store.runs()]


def pictures(folder):
    return sorted(folder.rglob("*.jpg"), key=lambda path: path.name)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_second_run_reads_no_image_after_the_check_and_predicts_the_same(
    models, data, own_data, run, tmp_path, workers, monkeypatch
):
    """The images are deleted once they were checked."""
    monkeypatch.setattr(estimate, "MOST_SHARE", 4)  # so that the estimate has its trial, too
    run = replace(run, workers=workers)
    without = replace(run, cache_images=None, store=tmp_path / "without.sqlite")
    plain = validate(models, data, PROTOCOL, without)
    first = validate(models, own_data, PROTOCOL, run)
    assert (plain.cache, first.cache.read, first.cache.damaged) == (None, 0, 0)
    stored = predictions(run.store)
    second = validate(
        models, own_data, PROTOCOL, run, during("checking images", lambda _: delete(own_data))
    )
    assert not pictures(own_data)
    assert second.cache.read == second.computed == TOTAL
    assert counts(plain) == counts(first) == counts(second)
    assert predictions(without.store) == stored == predictions(run.store)
    said = f"{TOTAL} of {TOTAL} images came from the cache of decoded images."
    assert said in second.describe()


def delete(folder):
    for path in pictures(folder):
        path.unlink()


def test_without_the_cache_that_run_fails(models, own_data, run):
    """So the test above would notice an image that is read."""
    with pytest.raises(DataError, match="there is no such file"):
        validate(
            models,
            own_data,
            PROTOCOL,
            replace(run, cache_images=None),
            during("checking images", lambda _: delete(own_data)),
        )


def test_what_is_stored_of_predictions_needs_no_cache(models, data, run):
    validate(models, data, PROTOCOL, replace(run, cache_images=None))
    notes = []
    again = validate(models, data, PROTOCOL, replace(run, fresh=False, on_note=notes.append))
    assert (again.computed, again.cache.read, notes) == (0, 0, [])
    assert "cache" not in again.describe()


def test_a_part_of_the_set_is_a_part_of_the_cache(models, data, run):
    notes = []
    validate(models, data, PROTOCOL, replace(run, limit=6))
    whole = validate(models, data, PROTOCOL, replace(run, on_note=notes.append))
    assert whole.cache.read == 6
    assert f"6 of {TOTAL} are there" in notes[0]


def test_an_image_with_other_bytes_is_decoded(models, own_data, run, tmp_path):
    validate(models, own_data, PROTOCOL, run)
    first, second = pictures(own_data)[:2]
    first.write_bytes(second.read_bytes())
    pictures(own_data)[5].write_bytes(pictures(own_data)[5].read_bytes() + b"trailing")
    found = validate(models, own_data, PROTOCOL, run)
    assert found.cache.read == TOTAL - 1
    without = replace(run, cache_images=None, store=tmp_path / "without.sqlite")
    assert counts(found) == counts(validate(models, own_data, PROTOCOL, without))


def test_another_order_and_other_classes_use_the_same_crops(models, own_data, run, tmp_path):
    validate(models, own_data, PROTOCOL, run)
    for number, path in enumerate(pictures(own_data)):
        other = own_data / CLASSES[number % 10]
        other.mkdir(exist_ok=True)
        path.rename(other / f"{TOTAL - number:04d}.jpg")
    found = validate(models, own_data, PROTOCOL, run)
    assert found.cache.read == TOTAL
    without = replace(run, cache_images=None, store=tmp_path / "without.sqlite")
    assert counts(found) == counts(validate(models, own_data, PROTOCOL, without))


def test_another_protocol_decodes_unless_it_only_normalises(models, data, run):
    validate(models, data, PROTOCOL, run)
    other = replace(PROTOCOL, mean=(0.0,) * 3, std=(9.0,) * 3)
    assert validate(models, data, other, run).cache.read == TOTAL
    other = replace(PROTOCOL, resize_short_edge=40)
    assert validate(models, data, other, run).cache.read == 0


def test_an_unreadable_image_is_never_in_the_cache(models, own_data, run):
    pictures(own_data)[3].write_bytes(b"no image")
    run = replace(run, on_error=COUNT_WRONG)
    first = validate(models, own_data, PROTOCOL, run)
    second = validate(models, own_data, PROTOCOL, run)
    assert second.cache.read == TOTAL - 1
    assert second.data.unreadable == first.data.unreadable
    assert len(second.data.unreadable) == 1


def test_damaged_crops_are_counted_and_decoded_once_more(models, data, run):
    first = validate(models, data, PROTOCOL, run)
    (path,) = run.cache_images.rglob("*.crops")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    content[128] ^= 1  # the hash of another image: its crop is not found
    path.write_bytes(content)
    second = validate(models, data, PROTOCOL, run)
    assert (second.cache.read, second.cache.damaged) == (TOTAL - 2, 1)
    assert "from the cache of decoded images (damaged there: 1)." in second.describe()
    third = validate(models, data, PROTOCOL, run)
    assert (third.cache.read, third.cache.damaged) == (TOTAL, 0)
    assert counts(first) == counts(second) == counts(third)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_run_leaves_crops_for_the_next(models, data, run, tmp_path, workers):
    log = tmp_path / "log"
    kill_after(3, 0, models, data, replace(run, workers=workers, batch_size=2), log)
    done = read(log)
    assert 0 < done[-1] <= TOTAL
    found = validate(models, data, PROTOCOL, run)
    assert found.cache.read >= done[-1]
    assert found.cache.damaged == 0
    assert validate(models, data, PROTOCOL, run).cache.read == TOTAL
    calm = validate(models, data, PROTOCOL, replace(run, cache_images=None, store=None))
    assert counts(found) == counts(calm)


def validate_in_child(models, data, run, log, started):
    started.wait()
    validate(models, data, PROTOCOL, run, logged(log))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_two_runs_at_once(models, data, run, tmp_path):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    processes = []
    for name in "ab":
        own = replace(run, store=tmp_path / f"{name}.sqlite")
        arguments = (models, data, own, tmp_path / f"{name}.log", started)
        processes.append(context.Process(target=validate_in_child, args=arguments))
    for process in processes:
        process.start()
    started.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    found = validate(models, data, PROTOCOL, run)
    assert found.cache.read == TOTAL
    assert predictions(tmp_path / "a.sqlite") == predictions(run.store)
    assert predictions(tmp_path / "b.sqlite") == predictions(run.store)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cache_that_disappears_ends_no_run(models, data, run, workers):
    notes = []
    run = replace(run, workers=workers, on_note=notes.append)
    before = validate(models, data, PROTOCOL, run)
    found = validate(
        models, data, PROTOCOL, run,
        during("validating", lambda number: number == 1 and shutil.rmtree(run.cache_images)),
    )  # fmt: skip
    assert counts(found) == counts(before)
    assert (found.cache.read, found.cache.damaged) == (0, TOTAL)
    assert notes[-1] == f"No more decoded images are kept: {os.strerror(2)}."
    assert len(notes) == 2
    assert not run.cache_images.exists()


def test_a_full_disk_is_found_before_anything_is_predicted(models, data, run, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 9))
    with pytest.raises(VanbenchError, match=r"expected 83\.1 kB of free disk space") as caught:
        validate(models, data, PROTOCOL, run)
    assert caught.value.where == run.cache_images
    assert not any(predictions(run.store))
