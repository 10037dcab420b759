"""A validation that was cut off goes on where it was, and ends with the counts of a whole one."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.support.runs import AMONG5, PROTOCOL, RIGHT, TOTAL, counts, during
from vanbench.errors import RecordError
from vanbench.evaluation.resume import StoredRuns
from vanbench.evaluation.validate import validate
from vanbench.prediction_store.store import FILE, Store


class Interrupted(Exception):
    """Stands for a crash in the middle of a pass."""


def stop_after(batches):
    """A progress display that fails after so many batches; its first update is before them."""

    def stop(number):
        if number > batches:
            raise Interrupted

    return during("validating", stop)


@pytest.mark.parametrize("batches", range(6))
def test_every_point_of_interruption_gives_the_same_counts(batches, models, data, run):
    whole = validate(models, data, PROTOCOL, replace(run, store=None))
    assert counts(whole)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    with pytest.raises(Interrupted):
        validate(models, data, PROTOCOL, run, stop_after(batches))
    resumed = validate(models, data, PROTOCOL, replace(run, batch_size=5))
    assert counts(resumed) == counts(whole)
    assert resumed.computed == TOTAL - 4 * batches


def test_a_finished_run_is_not_computed_again_unless_asked(models, data, run):
    first = validate(models, data, PROTOCOL, run)
    again = validate(models, data, PROTOCOL, replace(run, batch_size=7, workers=1))
    assert (first.computed, again.computed) == (TOTAL, 0)
    assert counts(again) == counts(first)
    assert again.images_per_s is None
    assert "--fresh" in again.describe()
    assert validate(models, data, PROTOCOL, replace(run, fresh=True)).computed == TOTAL


def test_a_model_that_joins_is_computed_alone(models, data, run):
    only = {"a": models["a"]}
    validate(only, data, PROTOCOL, run)
    both = validate(models, data, PROTOCOL, run)
    assert counts(both) == counts(validate(models, data, PROTOCOL, replace(run, store=None)))
    with Store(run.store) as store:
        assert [r.images for r in store.runs()] == [TOTAL, TOTAL]


def test_a_part_counts_toward_the_whole(models, data, run):
    part = validate(models, data, PROTOCOL, replace(run, limit=10))
    assert (part.partial, part.computed) == (True, 10)
    whole = validate(models, data, PROTOCOL, run)
    assert (whole.partial, whole.computed) == (False, TOTAL - 10)


OTHERS = {
    "the same run": {},
    "the same run with --fresh": {"fresh": True},
    "a part of it with --fresh": {"fresh": True, "limit": 10},
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("batch", [1, 3, 6])
@pytest.mark.parametrize("label", ["checking images", "validating"])
def test_another_run_of_the_same_key_in_the_middle_of_a_pass(
    label, batch, other, models, data, run
):
    """It stores, or deletes and stores, everything at the moment of that update."""
    results = []

    def interfere(number):
        if number == batch or label == "checking images":
            how = replace(run, batch_size=5, **OTHERS[other])
            results.append(validate(models, data, PROTOCOL, how))

    alone = validate(models, data, PROTOCOL, replace(run, store=None))
    found = validate(models, data, PROTOCOL, run, during(label, interfere))
    assert counts(found) == counts(alone)
    assert results
    for result in results:
        assert result.partial or counts(result) == counts(alone)


@pytest.mark.parametrize("fresh", [False, True])
def test_another_run_between_the_first_counts_and_the_work(fresh, models, data, run, monkeypatch):
    """The counts and the work once came from two reads, which then disagreed."""
    work, calls = StoredRuns.work, []

    def interfere(self, state):
        if not calls:
            calls.append(state)
            validate(models, data, PROTOCOL, replace(run, limit=12, fresh=fresh))
        return work(self, state)

    validate(models, data, PROTOCOL, replace(run, limit=4))
    monkeypatch.setattr(StoredRuns, "work", interfere)
    found = validate(models, data, PROTOCOL, run)
    assert calls
    assert counts(found)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)


def test_predictions_that_are_deleted_are_computed_again(models, data, run):
    def delete(number):
        if number == 5:
            with Store(run.store) as store:
                for stored in store.runs():
                    store.forget(stored.id, list(store.read(stored.id))[:7])

    found = validate(models, data, PROTOCOL, run, during("validating", delete))
    assert counts(found)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    assert found.computed == TOTAL + 7
    assert "predicted before" not in found.describe()


def test_predictions_that_are_deleted_again_and_again_are_an_error(models, data, run):
    def delete(number):
        with Store(run.store) as store:
            for stored in store.runs():
                store.forget(stored.id, store.read(stored.id))

    with pytest.raises(RecordError, match=r"predictions disappear .*Run the command again"):
        validate(models, data, PROTOCOL, run, during("validating", delete))


def test_fresh_leaves_the_predictions_of_other_images(models, data, run):
    validate(models, data, PROTOCOL, run)
    part = validate(models, data, PROTOCOL, replace(run, limit=10, fresh=True))
    assert part.computed == 10
    assert validate(models, data, PROTOCOL, run).computed == 0


def test_an_altered_prediction_is_no_count(models, data, run):
    validate(models, data, PROTOCOL, run)
    database = sqlite3.connect(run.store)
    with database:
        database.execute("UPDATE predictions SET top = x'', logits = x'' WHERE image = 3")
    database.close()
    with pytest.raises(RecordError, match="for image 3 is damaged or was edited"):
        validate(models, data, PROTOCOL, run)
    again = validate(models, data, PROTOCOL, replace(run, fresh=True))
    assert counts(again)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)


def test_two_processes_of_the_same_key_and_one_with_fresh_end_with_the_same_counts(tmp_path):
    common = ["--results", str(tmp_path), "--cache", str(tmp_path / "cache"), "--workers", "0",
              "--batch-size", "4", "--limit", "120"]  # fmt: skip
    path = tmp_path / FILE
    processes = [start(*common), start(*common)]
    while stored(path) < 16 and processes[0].poll() is None:
        time.sleep(0.01)
    processes.append(start(*common, "--fresh"))
    documents = [json.loads(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    keys = ("name", "images", "correct1", "correct5")
    found = [[[m[key] for key in keys] for m in document["models"]] for document in documents]
    assert found[0] == found[1] == found[2]
    assert [model[1] for model in found[0]] == [120, 120]
    assert stored(path) == 240


def start(*arguments):
    command = [sys.executable, "-m", "vanbench", "validate", "--all", "--zoo", "demo", "--json"]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def stored(path):
    if not path.exists():
        return 0
    with Store(path) as store:
        return sum(run.images for run in store.runs())


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(tmp_path):
    """SIGKILL, then the same command: the counts of an undisturbed run, nothing done twice."""
    common = ["--cache", str(tmp_path / "cache"), "--batch-size", "8", "--workers", "1"]
    calm = start(*common, "--results", str(tmp_path / "calm"))
    wanted = json.loads(calm.communicate()[0])
    rng = random.Random(0)
    common += ["--results", str(tmp_path / "stormy")]
    path = tmp_path / "stormy" / FILE
    before = 0
    for _ in range(20):
        process = start(*common)
        deadline = time.monotonic() + rng.uniform(0.2, 1.5)
        while process.poll() is None and (stored(path) == before or time.monotonic() < deadline):
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert stored(path) >= before
        before = stored(path)
    result = json.loads(start(*common).communicate()[0])
    keys = ("name", "images", "correct1", "correct5")
    assert [[m[k] for k in keys] for m in result["models"]] == [
        [m[k] for k in keys] for m in wanted["models"]
    ]
