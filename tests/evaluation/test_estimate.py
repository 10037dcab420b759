"""The estimate before a pass: what it is made of, when it is said, and that it changes nothing."""

import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.support.runs import CLASSES, PROTOCOL, TOTAL, counts
from vanbench.data.open import open_images
from vanbench.evaluation import estimate
from vanbench.evaluation.estimate import Cost, Trial, estimate_text, note_estimate, try_models
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.resume import Work
from vanbench.evaluation.validate import validate
from vanbench.prediction_store.store import Store

CPU = torch.device("cpu")
COST = Cost(decode=0.1, forward={"a": 0.2, "b": 0.3})


@pytest.fixture
def images(data):
    return open_images(data, CLASSES)


@pytest.fixture
def any_pass_is_long(monkeypatch):
    """Any estimate is worth a line."""
    monkeypatch.setattr(estimate, "MOST_SHARE", 4)
    monkeypatch.setattr(estimate, "WORTH_SAYING", 0.0)


@pytest.mark.parametrize(
    ("device", "workers", "seconds"),
    [
        ("cpu", 0, 60.0),  # 0.1 + 0.2 + 0.3 s for each of 100 images
        ("cpu", 1, 52.5),  # four cores share 0.1 s of decoding
        ("cuda", 1, 50.0),  # the models are slower than the worker
    ],
)
def test_the_cost_of_an_image_depends_on_what_is_done_at_once(
    device, workers, seconds, monkeypatch
):
    monkeypatch.setattr(estimate, "available_cores", lambda: 4)
    trial = Trial(COST, torch.device(device), workers)
    assert trial.seconds(["a", "b"], 100) == pytest.approx(seconds)


def test_workers_that_are_too_few_decide(monkeypatch):
    monkeypatch.setattr(estimate, "available_cores", lambda: 4)
    slow = Cost(decode=1.0, forward={"a": 0.01})
    assert Trial(slow, CPU, 2).seconds(["a"], 100) == pytest.approx(50)
    assert Trial(slow, torch.device("cuda"), 8).seconds(["a"], 100) == pytest.approx(25)


def test_the_line():
    line = estimate_text(17400, "5 models × 50,000 images", 0, 50_000, CPU, 720)
    assert line == (
        "≈ 4 h 50 min on this CPU for 5 models × 50,000 images; --limit 2000 takes 12 min."
    )
    line = estimate_text(600, "50,000 images", 12_000, 50_000, torch.device("cuda"), 20)
    assert line == (
        "≈ 10 min on this GPU for 50,000 images, of which 12,000 are stored; "
        "--limit 2000 takes 20 s."
    )


@pytest.mark.parametrize(("seconds", "fewer"), [(200, 10), (900, 600)])
def test_fewer_images_are_no_advice_where_they_help_little(seconds, fewer):
    assert "--limit" not in estimate_text(seconds, "images", 0, 50_000, CPU, fewer)


ALL = [Work(("a", "b"), list(range(TOTAL)))]
OPTIONS = RunOptions(device="cpu", batch_size=1, workers=0)


class Counting(nn.Module):
    """A model that says how many images it saw, and takes so long for a batch."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds, self.seen = seconds, 0

    def forward(self, x):
        self.seen += len(x)
        time.sleep(self.seconds)
        return torch.zeros(len(x), len(CLASSES))


def test_no_trial_for_few_images(images):
    few = [Work(("a",), list(range(15)))]
    assert try_models({"a": Counting()}, images, PROTOCOL, few, CPU, OPTIONS) is None


def test_compiled_models_have_no_trial(images, any_pass_is_long):
    options = replace(OPTIONS, runtime="compiled")
    assert try_models({"a": Counting()}, images, PROTOCOL, ALL, CPU, options) is None


def test_a_short_pass_costs_one_batch_of_a_trial(images):
    models = {"a": Counting(), "b": Counting()}
    assert try_models(models, images, PROTOCOL, ALL, CPU, OPTIONS) is None
    assert [model.seen for model in models.values()] == [1, 1]


def test_a_trial_measures_every_model_warm(images, any_pass_is_long):
    models = {"a": Counting(0.001), "b": Counting(0.02)}
    trial = try_models(models, images, PROTOCOL, ALL, CPU, OPTIONS)
    assert trial.cost.decode > 0
    assert 0.001 < trial.cost.forward["a"] < trial.cost.forward["b"]
    assert trial.cost.forward["b"] > 0.02
    assert [model.seen for model in models.values()] == [4, 4]
    assert trial.workers == 0


def test_a_slow_model_is_not_tried_again(images, any_pass_is_long, monkeypatch):
    monkeypatch.setattr(estimate, "LONGEST", 0.02)
    models = {"a": Counting(), "b": Counting(0.03)}
    assert try_models(models, images, PROTOCOL, ALL, CPU, OPTIONS).cost.forward["b"] > 0.03
    assert models["b"].seen == 1


def test_what_is_stored_is_not_counted(images, monkeypatch):
    asked = []

    def trial(models, images, protocol, work, device, options, **reading):
        return Trial(Cost(0.0, {"a": 1.0, "b": 10.0}), CPU, 0)

    monkeypatch.setattr(estimate, "try_models", trial)
    options = RunOptions(device="cpu", on_note=asked.append)
    work = [Work(("a", "b"), list(range(100))), Work(("b",), list(range(100, 130)))]
    models = dict.fromkeys("ab", nn.Identity())
    note_estimate(models, images, PROTOCOL, 150, work, CPU, options)
    note_estimate(models, images, PROTOCOL, 150, [Work(("a",), list(range(59)))], CPU, options)
    assert asked == ["≈ 23 min on this CPU for 2 models × 150 images, of which 20 are stored."]


def test_the_trial_changes_no_prediction_and_no_state_of_torch(
    models, data, run, tmp_path, any_pass_is_long
):
    notes = []
    calm = validate(models, data, PROTOCOL, replace(run, store=tmp_path / "calm.sqlite"))
    before = torch.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled()
    found = validate(models, data, PROTOCOL, replace(run, on_note=notes.append))
    assert len(notes) == 1
    assert notes[0].startswith("≈ ")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), torch.is_grad_enabled())
    assert counts(found) == counts(calm)
    assert found.computed == TOTAL
    with Store(run.store) as with_trial, Store(tmp_path / "calm.sqlite") as without:
        for one, other in zip(with_trial.runs(), without.runs(), strict=True):
            assert with_trial.read(one.id) == without.read(other.id)


def test_a_model_that_fails_fails_in_the_pass_and_not_in_the_trial(
    data, models, run, any_pass_is_long
):
    class Failing(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError

    broken = replace(models["b"], model=Failing())
    found = validate({"a": models["a"], "broken": broken}, data, PROTOCOL, run)
    assert found.failures.keys() == {"broken"}
    assert found.tallies["a"].images == TOTAL
