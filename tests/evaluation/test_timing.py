"""The stopwatch: seconds on the host, and moments in the stream of the very GPU that computes."""

import time

import pytest
import torch

from vanbench.evaluation.timing import Stopwatch


def test_seconds_between_moments_on_the_host():
    watch = Stopwatch(torch.device("cpu"))
    time.sleep(0.01)
    watch.mark()
    watch.mark()
    first, second = watch.seconds()
    assert first >= 0.01 > second >= 0


@pytest.mark.parametrize("number", [0, 1])
def test_moments_are_in_the_stream_of_the_gpu(number, monkeypatch):
    """One in another GPU's stream would come before the work is done."""
    done = []

    class Event:
        """As CUDA's, without a GPU."""

        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            done.append(("record", stream))

        def synchronize(self):
            done.append("synchronize")

        def elapsed_time(self, later):
            return 1500.0

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", str)
    watch = Stopwatch(torch.device("cuda", number))
    watch.mark()
    assert watch.seconds() == [1.5]
    assert done == [("record", f"cuda:{number}")] * 2 + ["synchronize"]
