"""What a validation counts, under which key it stores it, and what stops it."""

import shutil
from dataclasses import replace

import pytest
import torch

from tests.support import drawing
from tests.support.command_line import DEMO_IMAGES, demo_checkpoint
from tests.support.models import TINY, randomized
from tests.support.runs import AMONG5, PROTOCOL, RIGHT, TOTAL, counts, during
from vanbench.checkpoints.load import open_checkpoint
from vanbench.errors import DataError, ScoringError
from vanbench.evaluation.plan import Candidate
from vanbench.evaluation.ready import ReadyModel, refuse_head
from vanbench.evaluation.validate import validate, validate_candidates
from vanbench.prediction_store.store import Store
from vanbench.runtimes.choose import Chosen
from vanbench.zoo.reader import load_zoo


def test_other_numerics_or_files_do_not_share_predictions(models, data, run):
    validate(models, data, PROTOCOL, run)
    other_file = {"a": replace(models["a"], sha256="ff" * 32)}
    other_runtime = {"a": replace(models["a"], chosen=Chosen("optimized"))}
    other_eps = {"a": replace(models["a"], layer_norm_eps=1e-3)}
    for contenders, protocol, how in (
        (other_runtime, PROTOCOL, run),
        (models, replace(PROTOCOL, interpolation="bilinear"), run),
        (other_file, PROTOCOL, run),
        (other_eps, PROTOCOL, run),
    ):
        assert validate(contenders, data, protocol, how).computed == TOTAL


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
    with pytest.raises(DataError, match=r"1 file is empty .*picture_0000.*picture_0001"):
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


def replace_at(label, path, content):
    """A progress display that replaces a file at the first update under that label."""
    return during(label, lambda number: path.write_bytes(content) if number == 1 else None)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("on_error", ["stop", "count-wrong"])
def test_an_image_that_is_replaced_after_the_check_is_an_error(
    on_error, workers, models, data, run, tmp_path
):
    """It was stored under the hash of the image that had been checked."""
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    victim, other = (next(copy.rglob(f"picture_{n:04d}.jpg")) for n in (3, 20))
    original = victim.read_bytes()
    how = replace(run, on_error=on_error, workers=workers)
    with pytest.raises(DataError) as refused:
        validate(
            models, copy, PROTOCOL, how, replace_at("checking images", victim, other.read_bytes())
        )
    name = f"{victim.parent.name}/{victim.name}"
    assert refused.value.problem == f"image {name} changed after it was checked"
    assert refused.value.where == copy
    victim.write_bytes(original)
    restored = validate(models, copy, PROTOCOL, how)
    assert counts(restored)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    assert counts(restored) == counts(validate(models, data, PROTOCOL, replace(how, store=None)))


def test_an_image_that_becomes_readable_after_the_check_is_an_error(models, data, run, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    victim = next(copy.rglob("picture_0003.jpg"))
    original = victim.read_bytes()
    victim.write_bytes(b"")
    repair = replace_at("checking images", victim, original)
    with pytest.raises(DataError, match=r"picture_0003\.jpg changed after it was checked"):
        validate(models, copy, PROTOCOL, replace(run, on_error="count-wrong"), repair)


def test_an_image_that_is_deleted_after_the_check(models, data, run, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    victim = next(copy.rglob("picture_0003.jpg"))
    delete = during("checking images", lambda number: victim.unlink(missing_ok=True))
    with pytest.raises(DataError, match=r"picture_0003\.jpg cannot be used"):
        validate(models, copy, PROTOCOL, run, delete)
    shutil.copy(next(data.rglob(victim.name)), victim)
    found = validate(
        models, copy, PROTOCOL, replace(run, on_error="count-wrong", fresh=True), delete
    )
    assert counts(found)["a"] == (TOTAL, RIGHT - 1, RIGHT - 1 + AMONG5)
    assert list(found.data.unreadable) == [f"{victim.parent.name}/{victim.name}"]


def test_a_model_whose_logits_are_not_finite_fails_and_the_others_go_on(models, data, run):
    broken = randomized(seed=9)
    with torch.no_grad():
        broken.head.bias[3] = torch.nan
    contenders = {**models, "broken": ReadyModel(broken, "cc" * 32, 1e-5)}
    found = validate(contenders, data, PROTOCOL, run)
    assert counts(found)["a"] == (TOTAL, RIGHT, RIGHT + AMONG5)
    assert found.tallies.keys() == {"a", "b"}
    assert found.failures["broken"].problem.startswith("logits are not finite for image ")
    with Store(run.store) as store:
        assert [stored.images for stored in store.runs()] == [TOTAL, TOTAL]


@pytest.mark.parametrize(("head", "message"), [(21841, "found a head of 21841"), (0, "found no")])
def test_a_head_of_another_size_cannot_be_scored(head, message):
    with pytest.raises(ScoringError, match=f"expected a head of 10 classes .*{message}"):
        refuse_head(replace(TINY, num_classes=head), PROTOCOL)


def test_runs_of_an_older_vanbench_stay_and_are_not_used(models, data, run):
    """Their key has the version of the package in place of the numerics version."""
    validate({"a": models["a"]}, data, PROTOCOL, run)
    with Store(run.store) as store:
        (new,) = store.runs()
        numerics = {**new.key.numerics, "vanbench": "0.1.0"}
        del numerics["numerics_version"]
        old = store.run("a", replace(new.key, numerics=numerics), "2026-01-01")
        store.add((old, image, found) for image, found in store.read(new.id).items())
        store.forget(new.id, store.read(new.id))
    assert validate({"a": models["a"]}, data, PROTOCOL, run).computed == TOTAL
    with Store(run.store) as store:
        assert [stored.images for stored in store.runs()] == [TOTAL, TOTAL]


@pytest.mark.parametrize("label", ["preparing models", "checking images", "validating"])
def test_an_exception_of_the_callers_display_ends_the_run(label, data, run):
    """It is no failure of a model."""

    def fail(number):
        raise ZeroDivisionError(label)

    candidate = Candidate("van_nano", load_zoo("demo").entries[0].protocol, open_demo)
    with pytest.raises(ZeroDivisionError, match=label):
        validate_candidates([candidate], DEMO_IMAGES, replace(run, limit=4), during(label, fail))


def test_an_exception_of_a_listener_ends_the_run(run):
    def fail(message):
        raise ZeroDivisionError(message)

    candidate = Candidate("van_nano", load_zoo("demo").entries[0].protocol, open_demo)
    with pytest.raises(ZeroDivisionError, match="after a trial"):
        validate_candidates([candidate], DEMO_IMAGES, replace(run, limit=4, on_message=fail))


def open_demo():
    return open_checkpoint(demo_checkpoint(), layer_norm_eps=1e-5)
