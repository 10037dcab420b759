"""Runs to compare: rows of predictions, and stored runs of tiny models over arranged images."""

import itertools
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.arranged import CROP, SHORT
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.ready import ReadyModel
from vanbench.evaluation.result import ValidationResult
from vanbench.evaluation.validate import validate
from vanbench.model.van import VAN
from vanbench.prediction_store.compare import RunPredictions
from vanbench.prediction_store.rows import PredictionRow
from vanbench.progress import Progress
from vanbench.zoo.entries import EvaluationProtocol

CLASSES = tuple(f"class-{i}" for i in range(10))
PROTOCOL = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
RIGHT, AMONG5, WRONG = 11, 5, 8
TOTAL = RIGHT + AMONG5 + WRONG


def row(name, wnid, top, logits=(5.0, 4.0, 3.0), sha256=None) -> PredictionRow:
    """A row with the choices in ``top``; its SHA-256 is made of the name unless it is given."""
    sha256 = sha256 or name.encode().hex().rjust(64, "0")[-64:]
    return PredictionRow(name, sha256, wnid, tuple(top), logits)


def predicted(title, *rows, **key) -> RunPredictions:
    """A run with these rows and this key."""
    return RunPredictions(title, key, rows)


def store_run(
    model: VAN, sha256: str, data: Path, store: Path, protocol=PROTOCOL, eps=1e-5, name="van_a"
) -> ValidationResult:
    """Validate a model over the images at ``data``; the predictions go into ``store``."""
    options = RunOptions(device="cpu", workers=0, store=store)
    return validate({name: ReadyModel(model, sha256, eps)}, data, protocol, options)


def with_classes(*classes: str) -> EvaluationProtocol:
    """The protocol with these classes."""
    return replace(PROTOCOL, classes=classes)


def counts(result: ValidationResult) -> dict[str, tuple[int, int, int]]:
    """Images, Top-1 and Top-5 counts by model."""
    return {name: (t.images, t.correct1, t.correct5) for name, t in result.tallies.items()}


def during(label: str, act: Callable[[int], None]) -> Progress:
    """A progress display that calls ``act`` with 1, 2, … at each update under that label."""

    @contextmanager
    def progress(name, unit):
        numbers = itertools.count(1)

        def update(done, total, note=""):
            if name == label:
                act(next(numbers))

        yield update

    return progress
