"""vanbench: check every published number of the Visual Attention Network checkpoints.

The names below are imported on first use, so that ``import vanbench`` does not import torch.
"""

from importlib import import_module
from typing import Any

from vanbench._version import __version__
from vanbench.errors import CheckpointError, VanbenchError

_HOMES = {
    "create_model": "vanbench.model.build",
    "load_model": "vanbench.checkpoints.load",
    "optimize": "vanbench.inference.optimized",
    "preprocess": "vanbench.data.preprocess",
}

__all__ = ["CheckpointError", "VanbenchError", "__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vanbench' has no attribute {name!r}")
