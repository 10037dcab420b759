"""The ratios of runtimes that ``make bench`` prints, with very little work."""

import pytest
import torch

from benchmarks import figures, runtimes
from benchmarks.material import photographs
from benchmarks.peer import Peer
from tests.support.models import TINY
from vanbench.model.build import random_normal, random_weights


def test_the_peer_computes_the_plain_model():
    model = random_weights(TINY)
    images = random_normal(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(images)
        found = Peer(model, 64)(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5 * float(expected.abs().max()))


@pytest.fixture(scope="module")
def measured():
    """One image at a time, in the peer and in torch."""
    kinds = (runtimes.PEER, runtimes.WITHOUT_EXTRAS, runtimes.BF16)
    return runtimes.ratios("van_b0", 0, batch=1, kinds=kinds)


def test_ratios_are_those_of_samples_taken_in_turns(measured):
    samples = measured["samples_s_cpu_s"]
    assert {len(taken) for taken in samples.values()} == {runtimes.ROUNDS}
    median = {kind: sorted(s for s, _ in taken)[2] for kind, taken in samples.items()}
    assert measured["over_peer"]["optimized"] == pytest.approx(median["peer"] / median["optimized"])
    assert measured["over_peer"]["peer"] == 1
    assert measured["runtimes"]["optimized"] == "optimized"


def test_the_default_is_what_a_validation_chooses(monkeypatch):
    monkeypatch.setattr(runtimes, "ARCHITECTURES", {"tiny": TINY})
    computing = runtimes.Computing("tiny", runtimes.DEFAULT, 4)
    assert computing.runtime() in {"optimized", "onnxruntime", "openvino"}
    assert computing.sample()[0] > 0


def test_the_first_stored_predictions_end_the_measurement(tmp_path):
    images = photographs(tmp_path / "images", 2)
    found = runtimes.first_batch(tmp_path, images, 1)
    assert 0 < found["later_run_s"] == found["samples_s"][0]
    lines = figures.lines("first_batch", found)
    assert [goal for _, _, goal in lines] == ["≤ 2.5", ""]


def test_a_run_that_stores_nothing_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="stored nothing"):
        runtimes.first_batch(tmp_path, tmp_path / "empty", 1)
