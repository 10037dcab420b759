"""The smaller demo model under every mistake."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.mistakes import RUN, candidate_of
from vanbench.checkpoints.load import load_model
from vanbench.diagnosis.trial import run_trial
from vanbench.zoo.reader import load_zoo


@pytest.fixture(scope="session")
def demo():
    """What run_trial found, the model, and the images with their labels."""
    zoo = load_zoo("demo")
    entry = zoo.entries[0]
    path = Path(unquote(urlsplit(entry.urls[0]).path))
    candidate = candidate_of(entry.name, path, entry.protocol, entry.layer_norm_eps)
    paths = sorted(zoo.data.rglob("*.jpg"))
    labels = [entry.protocol.class_ids.index(path.parent.name) for path in paths]
    encoded = [path.read_bytes() for path in paths]
    return run_trial(candidate, zoo.data, RUN), load_model(path), encoded, labels
