"""Where the time of a pass went, in one line, and what would make it shorter."""

from collections.abc import Sequence

import torch

from vanbench.devices import available_cores
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.predict import workers_of
from vanbench.report.records import Times

MUCH = 0.2  # share of the time from which a hint is given
BUSY = 0.7  # share of the time from which decoding processes count as busy


def shares(processes: Sequence[Times], seconds: float) -> Times:
    """The mean time of the processes as shares of the seconds of the pass.

    ``decode`` is in seconds of decoding per second of the pass. On a GPU the shares overlap.
    """
    whole = seconds * len(processes)
    total = sum(processes, Times())
    return Times(*(part / whole for part in vars(total).values()))


def in_words(processes: Sequence[Times], seconds: float) -> str:
    """The shares of the time, largest first.

    >>> in_words([Times(wait=2, forward=7, bookkeeping=1)], 10)
    '70 % of the time running the models, 20 % waiting for images, 10 % storing predictions'
    """
    share = shares(processes, seconds)
    parts = [
        (share.forward, "running the models"),
        (share.wait, "waiting for images"),
        (share.copy, "copying and normalising"),
        (share.bookkeeping, "storing predictions"),
    ]
    shown = [(part, name) for part, name in sorted(parts, reverse=True) if part >= 0.01]
    texts = [f"{100 * part:.0f} % {name}" for part, name in shown]
    return ", ".join(texts).replace(" % ", " % of the time ", 1)


def hint(
    processes: Sequence[Times], seconds: float, device: torch.device, options: RunOptions
) -> str:
    """One change that would make the pass faster; empty if none is known."""
    share, workers = shares(processes, seconds), workers_of(device, options)
    if share.wait > MUCH:
        cores = max(1, available_cores() // options.team.here.local_size)
        if workers < cores and share.decode > BUSY * max(1, workers):
            return f"Decoding is the limit. --workers {cores} would help."
        if share.decode > BUSY * max(1, workers) and options.cache_images is None:
            return "Decoding is the limit. --cache-images DIR keeps the crops for the next run."
    if max(times.bookkeeping for times in processes) > MUCH * seconds:
        return "Storing predictions is the limit. A larger --batch-size would help."
    return ""
