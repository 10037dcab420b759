"""What a validation is asked to do. No torch here: the command line makes these."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vanbench.distributed import ALONE, Team
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.runtimes.names import AUTO
from vanbench.zoo.entries import EvaluationProtocol

if TYPE_CHECKING:
    from vanbench.checkpoints.load import Checkpoint
    from vanbench.exported.load import Exported

STOP, COUNT_WRONG = ON_ERROR = ("stop", "count-wrong")
"""What an image that cannot be read does: it ends the run, or counts as wrong."""


def ignore_message(message: str) -> None:
    """A listener that does nothing."""


def default_trials() -> Path:
    """The file in which outcomes of trials are kept: in vanbench's folder of the user's cache."""
    return Path(os.getenv("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vanbench" / "trials.json"


@dataclass(frozen=True)
class RunOptions:
    """How a validation runs; None means what suits the device.

    ``store`` is the database in which predictions are kept as they are made, and from which an
    interrupted run resumes; None keeps them in memory. ``fresh`` computes all of them again.
    ``runtime`` is what computes the models; ``auto`` is the fastest one that is right.
    ``rewrite`` None lets a short trial decide how the rewrite runs; ``on_message`` is told its
    outcome. ``trials`` is the file in which outcomes of trials are kept; None keeps none.
    ``weights`` is ``plain`` or ``ema``; None takes what the framework that wrote a file
    loads for inference. ``on_note`` is told which were taken of a file that has both.

    ``calibration`` is a folder or a tar with images that int8 is calibrated on; None takes some of
    the validation set. ``cache_images`` is the folder in which decoded images are kept for later
    runs; None keeps none.

    ``team`` are the processes that share the work (torchrun). ``arguments`` are what follows
    ``vanbench`` on the command line, for a note that names it; a program has none.

    ``workers`` are processes. On macOS and Windows, and with Python 3.14, they import the script
    that starts them: its code must be under ``if __name__ == "__main__":``, or ``workers`` be 0.
    """

    device: str = "auto"
    precision: str = "fp32"
    calibration: Path | None = None
    batch_size: int | None = None
    workers: int | None = None
    limit: int | None = None
    on_error: str = STOP
    runtime: str = AUTO
    store: Path | None = None
    fresh: bool = False
    rewrite: RewriteConfig | None = None
    trials: Path | None = None
    weights: str | None = None
    cache_images: Path | None = None
    team: Team = ALONE
    arguments: Sequence[str] = ()
    on_message: Callable[[str], None] = field(default=ignore_message, repr=False, compare=False)
    on_note: Callable[[str], None] = field(default=ignore_message, repr=False, compare=False)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint to validate. ``open`` is called once, when its turn comes.

    ``rewritable``: it is a VAN, for which there is an optimised model.
    """

    name: str
    protocol: EvaluationProtocol
    open: Callable[[], "Checkpoint"]
    rewritable: bool = True


@dataclass(frozen=True)
class ExportedCandidate:
    """An exported file to validate, which has its runtime. ``open`` is called once."""

    name: str
    protocol: EvaluationProtocol
    open: Callable[[], "Exported"]


AnyCandidate = Candidate | ExportedCandidate


def spread(total: int, limit: int | None) -> list[int]:
    """Indices of all images, or of ``limit`` of them spread evenly over the set.

    >>> spread(10, 3)
    [0, 3, 6]
    """
    if limit is None or limit >= total:
        return list(range(total))
    return [i * total // limit for i in range(limit)]
