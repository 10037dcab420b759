"""Two tiny models, images on which the counts of the first are known, and a store."""

import pytest

from tests.support.arranged import arrange
from tests.support.models import randomized
from tests.support.runs import AMONG5, CLASSES, RIGHT, WRONG
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.ready import ReadyModel
from vanbench.prediction_store.store import FILE


@pytest.fixture(scope="session")
def models():
    return {name: ReadyModel(randomized(seed=i), f"{i:064x}", 1e-5) for i, name in enumerate("ab")}


@pytest.fixture(scope="session")
def data(models, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return arrange(root, models["a"].model, list(CLASSES), RIGHT, AMONG5, WRONG)


@pytest.fixture
def run(tmp_path):
    return RunOptions(device="cpu", batch_size=4, workers=0, store=tmp_path / FILE)
