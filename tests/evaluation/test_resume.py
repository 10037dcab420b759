"""A validation that was cut off goes on where it was, and ends with the counts of a whole one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.support import drawing
from tests.support.arranged import CROP, SHORT, arrange
from tests.support.models import TINY, randomized
from vanbench.errors import DataError
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.validate import ReadyModel, validate
from vanbench.prediction_store.store import FILE, Store
from vanbench.zoo.entries import EvaluationProtocol

CLASSES = tuple(f"class-{i}" for i in range(10))
PROTOCOL = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
RIGHT, AMONG5, WRONG = 11, 5, 8
TOTAL = RIGHT + AMONG5 + WRONG


@pytest.fixture(scope="module")
def models():
    return {name: ReadyModel(randomized(seed=i), f"{i:064x}", 1e-5) for i, name in enumerate("ab")}


@pytest.fixture(scope="module")
def data(models, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return arrange(root, models["a"].model, list(CLASSES), RIGHT, AMONG5, WRONG)


@pytest.fixture
def run(tmp_path):
    return RunOptions(device="cpu", batch_size=4, workers=0, store=tmp_path / FILE)


class Interrupted(Exception):
    """Stands for a crash in the middle of a pass."""


def stop_after(batches):
    """A progress display that fails at the batch after so many."""

    @contextmanager
    def progress(label, unit):
        seen = []

        def update(done, total, note=""):
            seen.append(done)
            if label == "validating" and len(seen) > batches:
                raise Interrupted

        yield update

    return progress


def counts(validated):
    return {name: (t.images, t.correct1, t.correct5) for name, t in validated.tallies.items()}


@pytest.mark.parametrize("batches", range(6))
def test_every_point_of_interruption_gives_the_same_counts(batches, models, data, run):
    whole = validate(models, data, PROTOCOL, replace(run, store=None))
    assert counts(whole)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    with pytest.raises(Interrupted):
        validate(models, data, PROTOCOL, run, stop_after(batches))
    resumed = validate(models, data, PROTOCOL, replace(run, batch_size=5))
    assert counts(resumed) == counts(whole)
    assert resumed.computed == TOTAL - 4 * (batches + 1)


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


def test_other_numerics_or_files_do_not_share_predictions(models, data, run):
    validate(models, data, PROTOCOL, run)
    other_file = {"a": replace(models["a"], sha256="ff" * 32)}
    other_eps = {"a": replace(models["a"], layer_norm_eps=1e-3)}
    for contenders, protocol, how in (
        (models, PROTOCOL, replace(run, reference=True)),
        (models, replace(PROTOCOL, interpolation="bilinear"), run),
        (other_file, PROTOCOL, run),
        (other_eps, PROTOCOL, run),
    ):
        assert validate(contenders, data, protocol, how).computed == TOTAL


def test_a_part_counts_toward_the_whole(models, data, run):
    part = validate(models, data, PROTOCOL, replace(run, limit=10))
    assert (part.partial, part.computed) == (True, 10)
    whole = validate(models, data, PROTOCOL, run)
    assert (whole.partial, whole.computed) == (False, TOTAL - 10)


def test_two_images_with_the_same_bytes_both_count(models, data, run, tmp_path):
    twice = tmp_path / "twice"
    shutil.copytree(data, twice)
    original = next(twice.rglob("picture_0000.jpg"))
    shutil.copy(original, original.with_name("copy.jpg"))
    found = validate({"a": models["a"]}, twice, PROTOCOL, run)
    assert counts(found)["a"] == (TOTAL + 1, RIGHT + 1, RIGHT + 1 + AMONG5)


def test_broken_images_stop_the_run_or_count_as_wrong(models, data, run, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    for number in (0, 1):
        victim = next(broken.rglob(f"picture_{number:04d}.jpg"))
        victim.write_bytes(victim.read_bytes()[:200] if number else b"")
    with pytest.raises(DataError, match=r"1 files are empty .*picture_0000.*picture_0001"):
        validate(models, broken, PROTOCOL, run)
    found = validate({"a": models["a"]}, broken, PROTOCOL, replace(run, on_error="count-wrong"))
    assert counts(found)["a"] == (TOTAL, RIGHT - 2, RIGHT - 2 + AMONG5)
    assert len(found.data.unreadable) == 2
    assert "2 unreadable images count as wrong" in found.describe()


def test_every_layout_shares_the_predictions_and_gives_the_same_counts(tmp_path, run):
    """What was predicted from folders is not computed again from a tar, shards or Parquet."""
    thousand = replace(TINY, num_classes=1000)
    models = {"a": ReadyModel(randomized(thousand), "aa" * 32, 1e-5)}
    protocol = replace(PROTOCOL, classes="imagenet-1k")
    drawn = drawing.pictures(per_class=1, classes=drawing.imagenet_1k()[::60])
    seen = []
    for i, make in enumerate(drawing.LAYOUTS.values()):
        root = make(tmp_path / str(i), drawn)
        own = replace(run, store=tmp_path / f"{i}.sqlite")
        alone, shared = (validate(models, root, protocol, how) for how in (own, run))
        assert shared.computed == (len(drawn) if i == 0 else 0)
        assert counts(alone) == counts(shared)
        seen.append((shared.data.fingerprint, counts(shared), first_choices(own.store)))
    assert all(found == seen[0] for found in seen)
    assert len(set(seen[0][2].values())) > 1


def first_choices(path):
    """Image hash → the five classes, best first, of the only run in a store."""
    with Store(path) as store:
        hashes = store.hashes()
        return {hashes[image]: p.top for image, p in store.read(1).items()}


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
