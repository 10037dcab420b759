"""Check every published number of the Visual Attention Network (VAN) checkpoints.

Models:

- ``create_model("van_b0")``: the reference network with random weights
- ``load_model("file.pth")``: the model of a checkpoint; format and architecture are read from it
- ``optimize(model)``: an exact rewrite for inference, with the same logits
- ``preprocess(image)``: the network's input for an image, as the evaluation protocol says

Published numbers; each of these does what the command of its name does, and returns an object that
shows itself as a table, with ``to_frame()`` (pandas) and ``to_json()``:

- ``results()``: the numbers on record, each with a verdict
- ``verify("all", data=…)``: check file hashes, parameters, FLOPs, Top-1 and Top-5
- ``validate("van_b0", data=…)``: measure Top-1 and Top-5, also of a file of your own
- ``count("van_b6")``: parameters and FLOPs under two conventions
- ``bench("van_b0")``: throughput, latency and memory
- ``predictions()``: the stored predictions, image by image

``Architecture`` and ``EvaluationProtocol`` describe a network and how its images are prepared.
Every failure that a user can meet is a ``VanbenchError``. Environment variables such as
``VANBENCH_DATA`` are for the command line; the functions take arguments only. docs/api.md has
examples.

The names are imported on first use, so that ``import vanbench`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vanbench._version import __version__
from vanbench.errors import CheckpointError, DataError, UnknownModelError, VanbenchError

if TYPE_CHECKING:
    from vanbench.api.benching import bench
    from vanbench.api.counting import count
    from vanbench.api.judging import results, verify
    from vanbench.api.predicting import predictions
    from vanbench.api.validating import validate
    from vanbench.checkpoints.load import load_model
    from vanbench.data.preprocess import preprocess
    from vanbench.inference.optimized import optimize
    from vanbench.model.architecture import Architecture
    from vanbench.model.build import create_model
    from vanbench.zoo.entries import EvaluationProtocol

__all__ = [
    "Architecture",
    "CheckpointError",
    "DataError",
    "EvaluationProtocol",
    "UnknownModelError",
    "VanbenchError",
    "__version__",
    "bench",
    "count",
    "create_model",
    "load_model",
    "optimize",
    "predictions",
    "preprocess",
    "results",
    "validate",
    "verify",
]

_HOMES = {
    "Architecture": "vanbench.model.architecture",
    "EvaluationProtocol": "vanbench.zoo.entries",
    "bench": "vanbench.api.benching",
    "count": "vanbench.api.counting",
    "create_model": "vanbench.model.build",
    "load_model": "vanbench.checkpoints.load",
    "optimize": "vanbench.inference.optimized",
    "predictions": "vanbench.api.predicting",
    "preprocess": "vanbench.data.preprocess",
    "results": "vanbench.api.judging",
    "validate": "vanbench.api.validating",
    "verify": "vanbench.api.judging",
}

if not TYPE_CHECKING:  # for a type checker, every wrong name would exist

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'vanbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
