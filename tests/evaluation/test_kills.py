"""SIGKILL at random moments of a validation: the same counts, and no image computed twice."""

import multiprocessing
import os
import random
import signal
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.support.arranged import CROP, SHORT, arrange
from tests.support.models import randomized
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.ready import ReadyModel
from vanbench.evaluation.validate import validate
from vanbench.prediction_store.store import FILE, Store
from vanbench.zoo.entries import EvaluationProtocol

CLASSES = tuple(f"class-{i}" for i in range(10))
PROTOCOL = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
RIGHT, AMONG5, WRONG = 60, 20, 16
TOTAL = RIGHT + AMONG5 + WRONG
FORK = multiprocessing.get_context("fork")  # starts at once: torch is imported here already


@pytest.fixture(scope="module")
def models():
    return {name: ReadyModel(randomized(seed=i), name * 64, 1e-5) for i, name in enumerate("ab")}


@pytest.fixture(scope="module")
def data(models, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return arrange(root, models["a"].model, list(CLASSES), RIGHT, AMONG5, WRONG)


def counts(validated):
    return {name: (t.images, t.correct1, t.correct5) for name, t in validated.tallies.items()}


def logged(log):
    """A progress display that writes down how many images are done, once a batch is stored."""

    @contextmanager
    def progress(label, unit):
        with open(log, "w") as file:

            def update(done, total, note=""):
                if label == "validating":
                    print(done, file=file, flush=True)

            yield update

    return progress


def read(log):
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def work(models, data, run, log, started):
    os.setsid()  # its own group, with its workers
    started.set()
    validate(models, data, PROTOCOL, run, logged(log))


def stored(path):
    """How many images each run has predictions for."""
    if not path.exists():
        return [0, 0]
    with Store(path) as store:
        return [run.images for run in store.runs()] or [0, 0]


def kill_after(batches, seconds, models, data, run, log):
    """Start a validation, and SIGKILL it with its workers so long after so many batches."""
    started = FORK.Event()
    process = FORK.Process(target=work, args=(models, data, run, log, started))
    process.start()
    started.wait()
    while process.is_alive() and len(read(log)) < batches:
        time.sleep(0.001)
    process.join(seconds)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_at_random_moments_change_nothing(kills, models, data, tmp_path):
    run = RunOptions(device="cpu", batch_size=2, workers=0, store=tmp_path / FILE)
    calm = counts(validate(models, data, PROTOCOL, replace(run, store=tmp_path / "calm.sqlite")))
    assert calm["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    rng, log = random.Random(kills), tmp_path / "log"
    in_the_middle = 0
    for _ in range(kills):
        log.unlink(missing_ok=True)
        size, workers = rng.choice((1, 2, 3)), rng.choice((0, 1))
        (before, _) = stored(run.store)
        how = replace(run, batch_size=size, workers=workers)
        kill_after(rng.randrange(4), rng.uniform(0, 0.05), models, data, how, log)
        done, (after, other) = read(log), stored(run.store)
        in_the_middle += before < after < TOTAL
        assert after == other, "a batch is stored for all models or for none"
        if done:  # it went on behind what was stored, and lost at most the batch in progress
            assert done[:2] == [before, before + min(size, TOTAL - before)][: len(done)]
            assert 0 <= after - done[-1] <= size
    (before, _) = stored(run.store)
    last = validate(models, data, PROTOCOL, replace(run, batch_size=5))
    assert (counts(last), last.computed) == (calm, TOTAL - before)
    assert stored(run.store) == [TOTAL, TOTAL]
    assert in_the_middle
