"""Where the time of a pass went, in words, and the hint that follows from it."""

from dataclasses import replace

import pytest
import torch

from vanbench.distributed import ONE, Processes, Team
from vanbench.evaluation import time_spent
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.time_spent import hint, in_words, shares
from vanbench.report.records import Times

CPU = torch.device("cpu")


def test_shares_are_the_mean_of_the_processes():
    processes = [Times(wait=2, forward=8), Times(wait=6, forward=3, bookkeeping=1)]
    assert shares(processes, 10) == Times(wait=0.4, forward=0.55, bookkeeping=0.05)


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (Times(wait=2.5, forward=7), "70 % of the time running the models, 25 % waiting for images"),
        (Times(copy=6, forward=3.94, bookkeeping=0.06), "60 % of the time copying and normalising, "
         "39 % running the models"),
        (Times(), ""),
    ],
)  # fmt: skip
def test_the_largest_share_comes_first_and_small_ones_are_left_out(times, text):
    assert in_words([times], 10) == text


@pytest.mark.parametrize(
    ("times", "changes", "expected"),
    [
        (Times(decode=9, wait=6), {"workers": 1}, "Decoding is the limit. --workers 4 would help."),
        (Times(decode=9, wait=6), {"workers": 0}, "Decoding is the limit. --workers 4 would help."),
        (Times(decode=36, wait=6), {"workers": 4}, "Decoding is the limit. --cache-images DIR"),
        (Times(decode=36, wait=6), {"workers": 4, "cache_images": "x"}, ""),
        (Times(decode=9, wait=1), {"workers": 1}, ""),  # the models hardly wait
        (Times(decode=1, wait=6), {"workers": 1}, ""),  # the wait is not for decoding
        (Times(bookkeeping=3), {}, "Storing predictions is the limit. A larger --batch-size"),
    ],
)
def test_the_hint(times, changes, expected, monkeypatch):
    monkeypatch.setattr(time_spent, "available_cores", lambda: 4)
    found = hint([times], 10, CPU, replace(RunOptions(), **changes))
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_processes_share_the_cores(monkeypatch):
    """With a core for each of four processes, one worker each is all that helps."""
    monkeypatch.setattr(time_spent, "available_cores", lambda: 4)
    times = [Times(decode=9, wait=6)] * 4
    for here, expected in ((ONE, "--workers 4"), (Processes(0, 4, 0, 4), "--cache-images")):
        team = Team(here, None if here is ONE else object())
        options = RunOptions(workers=1, team=team)
        assert expected in hint(times[: here.size], 10, CPU, options)
