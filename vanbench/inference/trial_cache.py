"""What short trials found on this machine, kept in a file so that later runs need not repeat them.

A trial decides about speed alone, so that a lost or stale file costs a second and changes no
result. What a trial found holds for the same processor, threads and versions.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch

from vanbench._version import __version__
from vanbench.environment import cpu_name
from vanbench.errors import RecordError
from vanbench.files import write_atomically
from vanbench.outside.json_text import read_json
from vanbench.typed_json import from_json, to_json

T = TypeVar("T")

MOST = 200  # trials in a file; the oldest are dropped
MOST_BYTES = 1 << 20


class TrialCache:
    """Outcomes of trials by what was tried and on what. Without a path nothing is kept."""

    def __init__(self, path: Path | None = None):
        self.path = path

    def get(self, kind: type[T], key: Mapping[str, Any]) -> T | None:
        """The outcome that was kept under a key; None where there is none that can be read."""
        with suppress(ValueError):
            found = self._read().get(_text(key))
            return None if found is None else from_json(kind, json.dumps(found))
        return None

    def put(self, key: Mapping[str, Any], outcome: Any) -> None:
        """Keep an outcome, if the file can be written."""
        if self.path is None:
            return
        trials = self._read()
        trials.pop(_text(key), None)
        trials[_text(key)] = to_json(outcome)
        newest = dict(list(trials.items())[-MOST:])
        with suppress(OSError):
            write_atomically(self.path, json.dumps(newest, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        with suppress(OSError, RecordError):
            found = read_json(self.path, most=MOST_BYTES, error=RecordError)
            if isinstance(found, dict):
                return found
        return {}


def machine(device: torch.device) -> dict[str, Any]:
    """What the speed of torch depends on, besides what is computed: part of a trial's key."""
    return {
        "vanbench": __version__,
        "torch": torch.__version__,
        "device": device.type,
        "cpu": cpu_name(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "threads": torch.get_num_threads(),
    }


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
